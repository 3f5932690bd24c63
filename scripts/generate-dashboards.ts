/** Writes the Grafana dashboards that `deploy/grafana/*.ts` describe. */
import { writeFileSync } from 'node:fs';
import { overviewDashboard } from '../deploy/grafana/overview.ts';

const target = new URL('../deploy/grafana/dashboards/sightline.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(overviewDashboard(), null, 2)}\n`);
