// Mocha's spec reporter, closed by plain lines that other tools can read: each failure's name, and the counts.
const { reporters, Runner } = require('mocha');

module.exports = class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const skipped = pending > 0 ? `, ${pending} skipped` : '';
      for (const test of this.failures) {
        process.stdout.write(`failed: ${test.titlePath().join(' > ')}: ${reasonOf(test.err)}\n`);
      }
      process.stdout.write(`${passes} passed, ${failures} failed${skipped}\n`);
    });
  }
};

function reasonOf(error) {
  return String(error?.message).split('\n', 1)[0].slice(0, 200);
}
