/**
 * The Grafana dashboard as code: tokens, calls, errors and latency by model and agent. `npm run docs` writes it
 * to `dashboards/sightline.json`. Metric names are Prometheus's form of semantic conventions 1.41 (see
 * `otlp.translation_strategy` in `deploy/prometheus/prometheus.yml`); an agent is a `service_name`.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatPanelBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesPanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

const TOKENS = 'gen_ai_client_token_usage';
const DURATION = 'gen_ai_client_operation_duration_seconds';
const FIRST_CHUNK = 'gen_ai_client_operation_time_to_first_chunk_seconds';
const TURN = 'gen_ai_invoke_agent_duration_seconds';
const TOOL = 'gen_ai_execute_tool_duration_seconds';

const SOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };
const AGENT = 'service_name=~"$agent"';
const MODEL = `${AGENT}, gen_ai_request_model=~"$model"`;

interface Query {
  expr: string;
  legend: string;
}

export interface Panel {
  title: string;
  description: string;
  unit: string;
  queries: readonly Query[];
  /** Empty is the good case, so a check for data must not fail on it. */
  mayBeEmpty?: boolean;
}

function quantile(q: number, metric: string, selector: string, by: string): string {
  const rates = `sum by (le, ${by}) (rate(${metric}_bucket{${selector}}[$__rate_interval]))`;
  return `histogram_quantile(${q}, ${rates})`;
}

function increase(metric: string, selector: string, by: string): string {
  return `sum by (${by}) (increase(${metric}{${selector}}[$__rate_interval]))`;
}

const TOTALS: readonly Panel[] = [
  {
    title: 'Model calls',
    description: 'Calls that ended in the time range.',
    unit: 'short',
    queries: [{ expr: `sum(increase(${DURATION}_count{${MODEL}}[$__range]))`, legend: 'calls' }],
  },
  {
    title: 'Input tokens',
    description: 'Including cached ones, as the provider reported them.',
    unit: 'short',
    queries: [
      {
        expr: `sum(increase(${TOKENS}_sum{${MODEL}, gen_ai_token_type="input"}[$__range]))`,
        legend: 'tokens',
      },
    ],
  },
  {
    title: 'Output tokens',
    description: 'Including reasoning, as the provider reported them.',
    unit: 'short',
    queries: [
      {
        expr: `sum(increase(${TOKENS}_sum{${MODEL}, gen_ai_token_type="output"}[$__range]))`,
        legend: 'tokens',
      },
    ],
  },
  {
    title: 'Failed calls',
    description: 'Share of the calls that ended with an error.',
    unit: 'percentunit',
    mayBeEmpty: true,
    queries: [
      {
        expr:
          `(sum(increase(${DURATION}_count{${MODEL}, error_type!=""}[$__range])) or vector(0))` +
          ` / sum(increase(${DURATION}_count{${MODEL}}[$__range]))`,
        legend: 'failed',
      },
    ],
  },
];

const USE: readonly Panel[] = [
  {
    title: 'Tokens by type and model',
    description: 'Tokens per interval.',
    unit: 'short',
    queries: [
      {
        expr: increase(`${TOKENS}_sum`, MODEL, 'gen_ai_request_model, gen_ai_token_type'),
        legend: '{{gen_ai_request_model}} {{gen_ai_token_type}}',
      },
    ],
  },
  {
    title: 'Tokens by agent',
    description: 'Tokens per interval.',
    unit: 'short',
    queries: [
      {
        expr: increase(`${TOKENS}_sum`, MODEL, 'service_name, gen_ai_token_type'),
        legend: '{{service_name}} {{gen_ai_token_type}}',
      },
    ],
  },
  {
    title: 'Calls by model',
    description: 'Calls per interval.',
    unit: 'short',
    queries: [
      {
        expr: increase(`${DURATION}_count`, MODEL, 'gen_ai_request_model'),
        legend: '{{gen_ai_request_model}}',
      },
    ],
  },
  {
    title: 'Errors by type',
    description: 'Failed calls per interval.',
    unit: 'short',
    mayBeEmpty: true,
    queries: [
      {
        expr: increase(`${DURATION}_count`, `${MODEL}, error_type!=""`, 'service_name, error_type'),
        legend: '{{service_name}} {{error_type}}',
      },
    ],
  },
];

const LATENCY: readonly Panel[] = [
  {
    title: 'Call duration',
    description: 'First byte of the request to the last byte of the response.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.5, DURATION, MODEL, 'gen_ai_request_model'),
        legend: 'p50 {{gen_ai_request_model}}',
      },
      {
        expr: quantile(0.95, DURATION, MODEL, 'gen_ai_request_model'),
        legend: 'p95 {{gen_ai_request_model}}',
      },
    ],
  },
  {
    title: 'Time to first chunk',
    description: 'Streamed calls only.',
    unit: 's',
    queries: [
      {
        expr: quantile(0.5, FIRST_CHUNK, MODEL, 'gen_ai_request_model'),
        legend: 'p50 {{gen_ai_request_model}}',
      },
      {
        expr: quantile(0.95, FIRST_CHUNK, MODEL, 'gen_ai_request_model'),
        legend: 'p95 {{gen_ai_request_model}}',
      },
    ],
  },
];

const AGENTS: readonly Panel[] = [
  {
    title: 'Turns by agent',
    description: 'From the prompt to the final answer, per interval.',
    unit: 'short',
    queries: [
      { expr: increase(`${TURN}_count`, AGENT, 'service_name'), legend: '{{service_name}}' },
    ],
  },
  {
    title: 'Turn duration',
    description: 'p95 by agent.',
    unit: 's',
    queries: [{ expr: quantile(0.95, TURN, AGENT, 'service_name'), legend: '{{service_name}}' }],
  },
  {
    title: 'Tool calls',
    description: 'Per interval, by tool.',
    unit: 'short',
    queries: [
      {
        expr: increase(`${TOOL}_count`, AGENT, 'gen_ai_tool_name'),
        legend: '{{gen_ai_tool_name}}',
      },
    ],
  },
  {
    title: 'Tool duration',
    description: 'p95 by tool.',
    unit: 's',
    queries: [
      { expr: quantile(0.95, TOOL, AGENT, 'gen_ai_tool_name'), legend: '{{gen_ai_tool_name}}' },
    ],
  },
];

const ROWS: readonly { title: string; panels: readonly Panel[]; width: number; stat?: boolean }[] =
  [
    { title: 'Totals', panels: TOTALS, width: 6, stat: true },
    { title: 'Use', panels: USE, width: 12 },
    { title: 'Latency', panels: LATENCY, width: 12 },
    { title: 'Agents', panels: AGENTS, width: 12 },
  ];

/** Every panel, for the test that asks a real Prometheus each panel's question. */
export const PANELS: readonly Panel[] = ROWS.flatMap((row) => row.panels);

function labelVariable(name: string, label: string, metricLabel: string): Builder<VariableModel> {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query(`label_values(${DURATION}_count, ${metricLabel})`)
    .includeAll(true)
    .allValue('.*')
    .multi(true)
    .refresh(2);
}

function targets(panel: Panel): DataqueryBuilder[] {
  return panel.queries.map((query, index) =>
    new DataqueryBuilder()
      .refId(String.fromCharCode('A'.charCodeAt(0) + index))
      .datasource(SOURCE)
      .expr(query.expr)
      .legendFormat(query.legend),
  );
}

function statPanel(panel: Panel, width: number): StatPanelBuilder {
  return new StatPanelBuilder()
    .title(panel.title)
    .description(panel.description)
    .datasource(SOURCE)
    .unit(panel.unit)
    .span(width)
    .height(4)
    .targets(targets(panel));
}

function seriesPanel(panel: Panel, width: number): TimeSeriesPanelBuilder {
  return new TimeSeriesPanelBuilder()
    .title(panel.title)
    .description(panel.description)
    .datasource(SOURCE)
    .unit(panel.unit)
    .min(0)
    .span(width)
    .height(8)
    .targets(targets(panel));
}

/** The dashboard's JSON model, as Grafana's file provisioning reads it. */
export function overviewDashboard(): object {
  const builder = new DashboardBuilder('AI agents')
    .uid('sightline-overview')
    .description('What the AI agents on these hosts ask of models, as seen by Sightline.')
    .tags(['sightline', 'gen_ai'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .withVariable(
      new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(labelVariable('agent', 'Agent', 'service_name'))
    .withVariable(labelVariable('model', 'Model', 'gen_ai_request_model'));
  for (const row of ROWS) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) {
      const built = row.stat ? statPanel(panel, row.width) : seriesPanel(panel, row.width);
      builder.withPanel(built);
    }
  }
  return builder.build();
}
