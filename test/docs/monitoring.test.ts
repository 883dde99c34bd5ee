/** The examples for Prometheus and Grafana: they parse, and ask for nothing that a node does not have. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { METRIC_HELP } from '../../src/supervisor/metrics/metric-help.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { ROOT, textOf } from '../shape/tree.ts'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

interface Board {
  readonly title: string
  readonly schemaVersion: number
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] }
  readonly panels: readonly Panel[]
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const board = JSON.parse(textOf('examples/grafana/orla.json')) as Board
const panels = board.panels.filter(({ type }) => type !== 'row')
const alerts = parse(textOf('examples/prometheus/alerts.yml')) as {
  groups: { name: string; rules: Rule[] }[]
}
const rules = alerts.groups.flatMap((group) => group.rules)

const boardExpressions = [
  ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...board.annotations.list.flatMap(({ expr = [] }) => expr),
]

const namesIn = (expression: string): string[] => expression.match(/\borla_\w+/g) ?? []

/** As a scrape has it: a histogram is its buckets, sum and count. */
const HISTOGRAM = /_(?:bucket|sum|count)$/
const isHistogram = (name: string) => name.endsWith('_seconds') && /duration|_age_|_cpu_|_wall_/.test(name)

function isKnown(series: string): boolean {
  const family = series.replace(HISTOGRAM, '')
  return HISTOGRAM.test(series)
    ? family in METRIC_HELP && isHistogram(family)
    : series in METRIC_HELP && !isHistogram(series)
}

test('every metric that the board and the alerts ask for is one of a node', () => {
  const asked = [...boardExpressions, ...rules.map(({ expr }) => expr)].flatMap(namesIn)
  assert.ok(asked.length > 100, `${asked.length} names were found`)
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !isKnown(name)),
    [],
  )
})

test('the board shows every metric that a node has, but for facts that are no curve', () => {
  const NOT_SHOWN = [
    'orla_store_position',
    'orla_store_writable',
    'orla_process_start_time_seconds',
    'orla_process_resident_bytes',
    'orla_unit_sampled_out_total',
    'orla_origin_panic',
    'orla_origin_unresolved_names',
    // Those of the endpoints tell more.
    'orla_origin_request_duration_seconds',
    'orla_origin_connect_duration_seconds',
    'orla_build_info',
  ]
  const shown = new Set(boardExpressions.flatMap(namesIn).map((name) => name.replace(HISTOGRAM, '')))
  const missing = Object.keys(METRIC_HELP).filter((name) => !shown.has(name) && !NOT_SHOWN.includes(name))
  assert.deepEqual(missing, [])
})

test('counters and histograms are asked for as rates, and parentheses are closed', () => {
  for (const expression of [...boardExpressions, ...rules.map(({ expr }) => expr)]) {
    for (const [open, close] of ['()', '{}', '[]'].map((pair) => [...pair]))
      assert.equal(expression.split(open!).length, expression.split(close!).length, expression)
    for (const [name] of expression.matchAll(/\borla_\w+(?:_total|_bucket|_sum|_count)\b/g))
      assert.match(
        expression,
        new RegExp(String.raw`(?:rate|increase)\(${name}(?:\{[^}]*\})?\[`),
        `${name} in ${expression}`,
      )
  }
})

test('the board fits Grafana 10 and later: its data source is a variable, its panels do not overlap', () => {
  assert.ok(board.schemaVersion >= 38)
  const variables = board.templating.list
  assert.deepEqual(
    variables.filter(({ type }) => type === 'datasource').map(({ name }) => name),
    ['datasource'],
  )
  for (const { title, datasource, targets = [] } of panels) {
    assert.ok(targets.length > 0, title)
    for (const source of [datasource, ...targets.map((target) => target.datasource)])
      assert.equal(source?.uid, '${datasource}', title)
  }
  const named = new Set([...variables.map(({ name }) => name), '__rate_interval', '__interval'])
  const used = boardExpressions.flatMap((expression) => expression.match(/\$(\w+)/g) ?? [])
  assert.deepEqual(
    [...new Set(used)].filter((name) => !named.has(name.slice(1))),
    [],
  )
  assert.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length)
  const taken = new Set<string>()
  for (const { title, gridPos } of board.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x} ${y}`), `${title} lies over another panel`)
        taken.add(`${x} ${y}`)
      }
    }
  }
})

test('each alert says whom to wake and why', () => {
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length)
  for (const { alert, expr, labels, annotations } of rules) {
    assert.match(labels['severity'] ?? '', /^(?:page|ticket)$/, alert)
    assert.ok((annotations['summary'] ?? '').length > 20, alert)
    assert.match(expr, /[<>=]/, alert)
  }
})

test('Prometheus is given the rules beside it, and a token from a file', () => {
  const config = parse(textOf('examples/prometheus/prometheus.yml')) as {
    rule_files: string[]
    scrape_configs: { job_name: string; authorization: Record<string, string> }[]
  }
  for (const file of config.rule_files) assert.ok(existsSync(join(ROOT, 'examples/prometheus', file)), file)
  const [job] = config.scrape_configs
  assert.equal(job?.job_name, 'orla')
  assert.deepEqual(Object.keys(job.authorization), ['type', 'credentials_file'])
})

/** What shows only once it has happened, or where a listener, a site or a unit asks for it. */
const OCCASIONAL =
  /quarantined|_telemetry_|_tls_|http2|access_log|refused_total|errors_total|retries_total|answers_total|checks_total|evicted_total$|calls_total|sampled_out|shadow_total|timer_runs|kv_|aborted|store_followed|limit_redis|packet_/

test('a scrape of a node holds what the board and the alerts ask for, with the labels that they name', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.setHeader('cache-control', 'max-age=60')
    response.end('hello')
  })
  const node = await startNode(t, {
    config: {
      limits: [{ name: 'everybody', rate: '1000/1s', key: 'address' }],
      sites: [{ origin: { endpoints: [origin.url], circuitBreaker: {} }, cache: { disk: '64mb' } }],
    },
    units: { hello: 'export default { paths: ["/hi"], content: () => new Response("hi") }' },
  })
  for (const path of ['/hi', '/a', '/a']) assert.equal((await node.request(path)).status, 200)
  assert.equal((await node.api('POST', '/v1/purge', { everything: true })).status, 200)
  const asked = [...boardExpressions, ...rules.map(({ expr }) => expr)]
  const expected = [...new Set(asked.flatMap(namesIn))].filter((name) => !OCCASIONAL.test(name))
  assert.ok(expected.length > 40)
  const text = await eventually(async () => {
    const scrape = await node.api('GET', '/metrics')
    const held = new Set(scrape.text.match(/^orla_\w+/gm))
    assert.deepEqual(
      expected.filter((name) => !held.has(name)),
      [],
    )
    return scrape.text
  })
  const isHeld = (name: string, label: string) =>
    text.split('\n').some((line) => line.startsWith(`${name}{`) && line.includes(`${label}="`))
  for (const expression of asked) {
    for (const [, name, inner = ''] of expression.matchAll(/\b(orla_\w+)\{([^}]*)\}/g)) {
      if (OCCASIONAL.test(name!)) continue
      for (const [, label] of inner.matchAll(/(\w+)(?:=~|!=|=)/g))
        assert.ok(['job', 'instance'].includes(label!) || isHeld(name!, label!), `${name} has no ${label}`)
    }
  }
  assert.match(text, /^orla_ready 1$/m)
  assert.match(text, /^orla_store_writable 1$/m)
})
