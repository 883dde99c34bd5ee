/** Where telemetry goes, by configuration and environment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { readAuthorities } from '../tls/certificate.ts'
import { checkConfig } from './check.ts'
import { telemetrySettings, type Environment } from './telemetry.ts'

const IDENTITY = { name: 'gru1', host: 'machine', version: '1.2.3' }

function settings(otlp: unknown, environment: Environment = {}, edge: object = {}) {
  const checked = checkConfig({ edge, telemetry: otlp === undefined ? {} : { otlp } })
  if (checked.kind === 'problems') throw new Error(JSON.stringify(checked.problems))
  return telemetrySettings(checked.config, environment, IDENTITY, readAuthorities)
}

test('nothing is sent unless somebody asks for it', () => {
  assert.equal(settings(undefined), undefined)
  assert.equal(
    settings(undefined, { OTEL_SERVICE_NAME: 'edge', OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }),
    undefined,
  )
  const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318' }
  assert.equal(settings(false, variables), undefined)
  assert.equal(settings({}, { OTEL_SDK_DISABLED: 'true' }), undefined)
  assert.equal(settings(undefined, variables)?.traces?.collector.url, 'http://a:4318/v1/traces')
  assert.equal(settings(undefined, { ...variables, OTEL_TRACES_EXPORTER: 'none' })?.traces, undefined)
  assert.equal(settings({ metrics: false })?.metrics, undefined)
  const one = settings(undefined, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://a/traces' })
  assert.deepEqual([one?.traces?.collector.url, one?.metrics], ['http://a/traces', undefined])
})

test('the configuration goes before the environment, and a signal before all', () => {
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all/base/',
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://metrics/own',
    OTEL_EXPORTER_OTLP_HEADERS: 'key=a%20b, other = c',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'key=t',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_TIMEOUT: '2000',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_METRIC_EXPORT_INTERVAL: '5000',
  }
  const { traces, metrics } = settings(undefined, variables)!
  assert.deepEqual(traces!.collector, {
    url: 'http://all/base/v1/traces',
    headers: { key: 't' },
    protocol: 'http/json',
    compression: 'gzip',
    timeoutMs: 2000,
    ca: undefined,
  })
  assert.equal(metrics!.collector.url, 'https://metrics/own')
  assert.deepEqual(metrics!.collector.headers, { key: 'a b', other: 'c' })
  assert.deepEqual([traces!.sample, metrics!.everyMs], [0.25, 5000])

  const own = settings({ endpoint: 'http://own', headers: {}, protocol: 'http/protobuf' }, variables)!
  assert.equal(own.metrics!.collector.url, 'http://own/v1/metrics')
  assert.deepEqual([own.traces!.collector.headers, own.traces!.collector.protocol], [{}, 'http/protobuf'])
  assert.equal(settings({}, variables, { trace: { sample: 0.5 } })!.traces!.sample, 0.5)
  assert.equal(settings({ traces: { sample: 0.1 } }, variables, { trace: {} })!.traces!.sample, 0.1)
  assert.equal(settings({})!.traces!.sample, 1)
})

test('no time is longer than a timer takes', () => {
  const { traces, metrics } = settings({ timeout: '30d', metrics: { every: '1000h' } })!
  assert.deepEqual([traces!.collector.timeoutMs, metrics!.everyMs], [2 ** 31 - 1, 2 ** 31 - 1])
  assert.equal(settings({ metrics: { every: '1ms' } })!.metrics!.everyMs, 100)
})

test('a node says who it is, unless it is told', () => {
  const { resource } = settings(
    { resource: { zone: 'gru' } },
    { OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,zone=lost,team=tv%2Cnews', OTEL_SERVICE_NAME: 'edge' },
  )!
  assert.equal(resource['service.name'], 'edge')
  assert.equal(resource['service.instance.id'], 'gru1')
  assert.equal(resource['service.version'], '1.2.3')
  assert.deepEqual([resource['zone'], resource['team']], ['gru', 'tv,news'])
})

test('what cannot be understood is an error that names it, and shows no secret', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a' }
  const many = Array.from({ length: 10_000 }, (_, i) => `name${i}=value`).join(',')
  const cases: readonly (readonly [Environment, RegExp])[] = [
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'a:4318' },
      /OTEL_EXPORTER_OTLP_ENDPOINT .*expected "http:\/\/HOST:PORT"/,
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:very-secret@a' }, /OTEL_EXPORTER_OTLP_ENDPOINT/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, /got "grpc", which Orla does not speak/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, /OTEL_EXPORTER_OTLP_TIMEOUT .*milliseconds/],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'very-secret' }, /OTEL_EXPORTER_OTLP_HEADERS .*name=value/],
    [
      { ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'key=very-secret%0a' },
      /OTEL_EXPORTER_OTLP_HEADERS .*HTTP allows/,
    ],
    [{ ...endpoint, OTEL_EXPORTER_OTLP_HEADERS: 'host=very-secret' }, /OTEL_EXPORTER_OTLP_HEADERS/],
    [{ ...endpoint, OTEL_RESOURCE_ATTRIBUTES: many }, /OTEL_RESOURCE_ATTRIBUTES .*at most 64/],
    [
      { ...endpoint, OTEL_TRACES_SAMPLER: 'xray', OTEL_TRACES_SAMPLER_ARG: '0.01' },
      /OTEL_TRACES_SAMPLER .*expected "always_on" or/,
    ],
    [
      { ...endpoint, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
      /OTEL_TRACES_SAMPLER_ARG .*from 0 to 1/,
    ],
  ]
  for (const [environment, message] of cases) {
    assert.throws(
      () => settings(undefined, environment),
      (error: Error) => message.test(error.message) && !error.message.includes('very-secret'),
    )
  }
  const checked = checkConfig({
    telemetry: { otlp: { endpoint: 'a', headers: { key: 'very-secret\n' }, traces: { sampel: 1 } } },
  })
  const problems = checked.kind === 'problems' ? checked.problems : []
  assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
    'telemetry.otlp.endpoint',
    'telemetry.otlp.headers',
    'telemetry.otlp.traces.sampel',
  ])
  assert.ok(!JSON.stringify(problems).includes('very-secret'))
})

test('authorities that cannot be used are an error that names the file, and who named it', () => {
  const missing = 'no-such-folder/ca.pem'
  const none = fileURLToPath(import.meta.url)
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'https://a'
  const asked = (otlp: unknown, environment: Environment, message: RegExp) =>
    assert.throws(() => settings(otlp, environment), { code: 'certificate-invalid', message })
  asked(
    { ca: missing },
    {},
    /^telemetry\.otlp\.ca: the certificate no-such-folder\/ca\.pem cannot be read: there is no such file$/,
  )
  asked({ ca: none }, {}, /^telemetry\.otlp\.ca: .*telemetry\.test\.ts holds no certificate in PEM$/)
  asked(
    undefined,
    { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_CERTIFICATE: none },
    /^the variable OTEL_EXPORTER_OTLP_CERTIFICATE of the environment: .* holds no certificate in PEM$/,
  )
  asked(
    {},
    { OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: missing },
    /^the variable OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE of the environment: the certificate .* cannot be read/,
  )
})
