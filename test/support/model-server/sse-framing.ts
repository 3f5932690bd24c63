/** Server-sent events as bytes, in the ordinary form and the others that real services use: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import type { StreamEvent } from './answer.ts';
import type { BodyPiece } from './response-plan.ts';
import type { Scenario } from './scenario.ts';

/** JSON text of `value`; with `ascii` every other character as an escape, as Python's json module writes it. */
export function jsonText(value: unknown, ascii = false, indent = 0): string {
  const text = JSON.stringify(value, null, indent);
  if (!ascii) {
    return text;
  }
  return text.replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const NEWLINES = { lf: '\n', crlf: '\r\n', cr: '\r' };

/** Bytes of every event; comments are part of the event they precede, the byte order mark of the first. */
function frameEvents(events: readonly StreamEvent[], scenario: Scenario): Buffer[] {
  const newline = NEWLINES[scenario.newline ?? 'lf'];
  const space = scenario.dataSpace === false ? '' : ' ';
  const comment = `: still processing${newline}${newline}`.repeat(scenario.comments ?? 0);

  return events.map((event, position) => {
    const indent = scenario.multilineData === true ? 1 : 0;
    const text =
      typeof event.data === 'string'
        ? event.data
        : jsonText(event.data, scenario.asciiJson === true, indent);
    let out = position === 0 && scenario.byteOrderMark === true ? '\ufeff' : '';
    out += comment;
    if (event.event !== undefined) {
      out += `event:${space}${event.event}${newline}`;
    }
    for (const line of text.split('\n')) {
      out += `data:${space}${line}${newline}`;
    }
    const isLast = position === events.length - 1;
    if (!isLast || scenario.finalBlankLine !== false) {
      out += newline;
    }
    return Buffer.from(out, 'utf8');
  });
}

/** The same, each with what it has told once it is sent. */
export function framePieces(events: readonly StreamEvent[], scenario: Scenario): BodyPiece[] {
  const framed = frameEvents(events, scenario);
  return events.map(({ effect }, index) => ({ bytes: framed[index]!, effect }));
}
