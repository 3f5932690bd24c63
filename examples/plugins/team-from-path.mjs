/**
 * Says which team an agent belongs to, by the folder that it was installed in: all that runs from
 * /srv/agents/TEAM/… gets `team.name` and `team.cost_centre`. AGENTS_ROOT names another folder.
 *
 *   sudo SIGHTLINE_PLUGINS=./examples/plugins/team-from-path.mjs sightline
 */
const ROOT = (process.env.AGENTS_ROOT ?? '/srv/agents').replace(/\/+$/, '');

/** Cost centres by team; a team that is not listed has none. */
const COST_CENTRES = { support: 'CC-1040', research: 'CC-2210' };

/** The team of a workload, by the path of its program or of the script that it runs. */
function teamOf({ root }) {
  for (const path of [root.executable, ...root.argv]) {
    const [team] = path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1).split('/') : [];
    if (team) {
      return team;
    }
  }
  return undefined;
}

/** The same for calls, tool calls and turns: all of them have a workload. */
function withTeam({ workload }) {
  const team = teamOf(workload);
  if (team === undefined) {
    return undefined;
  }
  return { attributes: { 'team.name': team, 'team.cost_centre': COST_CENTRES[team] } };
}

/** @type {import('sightline').Plugin} */
export default { name: 'team-from-path', call: withTeam, toolCall: withTeam, turn: withTeam };
