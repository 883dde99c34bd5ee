/**
 * Where telemetry goes, by the configuration, and where that is silent by OpenTelemetry's variables of the environment
 * (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 *
 * A variable of one signal (`OTEL_EXPORTER_OTLP_TRACES_…`) goes before the one of all. An empty one counts as not set. One that cannot be
 * understood is an error: what was meant is not known, and silence would look like health.
 */
import { EdgeError } from '../base/errors.ts'
import {
  isCollectorUrl,
  isHeader,
  isResource,
  type OtlpConfig,
  type TelemetryConfig,
} from './telemetry-schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>

type Signal = 'traces' | 'metrics'

const DEFAULT_ENDPOINT = 'http://localhost:4318'
const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_EVERY_MS = 60_000
const EVERY_MIN_MS = 100
/** A timer that is set for longer fires at once, and again and again: some 24 days. */
const TIMER_MAX_MS = 2 ** 31 - 1

export interface NodeIdentity {
  readonly name: string
  readonly host: string
  readonly version: string
}

/**
 * Undefined where nothing is to be sent. The result has the shape of `contract/telemetry.ts`. Throws `EdgeError` for what cannot be
 * understood, without the values of headers. `readAuthorities` gives the text of a PEM file, and throws where it holds no certificate.
 */
export function telemetrySettings(
  config: {
    readonly telemetry: TelemetryConfig
    readonly edge: { readonly trace?: { sample: number } | undefined }
  },
  environment: Environment,
  identity: NodeIdentity,
  readAuthorities: ReadFile,
) {
  const given = config.telemetry.otlp
  const variables = new Variables(environment)
  const isAsked = given !== undefined || variables.isSet('ENDPOINT')
  if (given === false || !isAsked || variables.text('OTEL_SDK_DISABLED')?.toLowerCase() === 'true')
    return undefined
  const otlp: OtlpConfig = given ?? NOTHING_SAID
  const { traces, metrics } = otlp
  // An address for one signal alone asks for that one.
  const isOff = (signal: Signal) =>
    given === undefined &&
    (variables.text(`OTEL_${signal.toUpperCase()}_EXPORTER`) === 'none' ||
      variables.ofSignal(signal, 'ENDPOINT') === undefined)
  return {
    resource: resourceOf(otlp, variables, identity),
    traces:
      traces === false || isOff('traces')
        ? undefined
        : {
            collector: collectorOf('traces', otlp, traces.endpoint, variables, readAuthorities),
            sample: traces.sample ?? config.edge.trace?.sample ?? variables.sample() ?? 1,
            query: traces.query,
          },
    metrics:
      metrics === false || isOff('metrics')
        ? undefined
        : {
            collector: collectorOf('metrics', otlp, metrics.endpoint, variables, readAuthorities),
            everyMs: Math.min(
              TIMER_MAX_MS,
              Math.max(
                EVERY_MIN_MS,
                metrics.every ?? variables.milliseconds('OTEL_METRIC_EXPORT_INTERVAL') ?? DEFAULT_EVERY_MS,
              ),
            ),
          },
  }
}

const NOTHING_SAID: OtlpConfig = { traces: { query: false }, metrics: {}, resource: {} }

type ReadFile = (file: string) => string

function collectorOf(
  signal: Signal,
  otlp: OtlpConfig,
  endpoint: string | undefined,
  variables: Variables,
  readAuthorities: ReadFile,
) {
  const own = (name: string) => variables.ofSignal(signal, name)
  return {
    url: urlOf(signal, otlp, endpoint, variables),
    headers: otlp.headers ?? headersIn(own('HEADERS')),
    protocol:
      otlp.protocol ?? oneOf(own('PROTOCOL'), ['http/protobuf', 'http/json'] as const) ?? 'http/protobuf',
    compression: otlp.compression ?? oneOf(own('COMPRESSION'), ['gzip', 'none'] as const) ?? 'gzip',
    timeoutMs: Math.min(TIMER_MAX_MS, otlp.timeout ?? millisecondsOf(own('TIMEOUT')) ?? DEFAULT_TIMEOUT_MS),
    ca: authoritiesOf(otlp, own('CERTIFICATE'), readAuthorities),
  }
}

/** Whoever named the file is told what is wrong with it. */
function authoritiesOf(
  { ca }: OtlpConfig,
  variable: Variable | undefined,
  read: ReadFile,
): string | undefined {
  const file = ca ?? variable?.value
  if (file === undefined) return undefined
  try {
    return read(file)
  } catch (error) {
    const place = ca === undefined ? placeOf(variable!) : 'telemetry.otlp.ca'
    throw new EdgeError('certificate-invalid', `${place}: ${(error as Error).message}`, { cause: error })
  }
}

/** The address of a signal is taken as it is; to that of all its path is added (OTLP exporter specification). */
function urlOf(signal: Signal, otlp: OtlpConfig, endpoint: string | undefined, variables: Variables): string {
  if (endpoint !== undefined) return endpoint
  const withPath = (base: string) => `${base.replace(/\/$/, '')}/v1/${signal}`
  if (otlp.endpoint !== undefined) return withPath(otlp.endpoint)
  const own = variables.variable(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`)
  if (own !== undefined) return checkedUrl(own)
  const all = variables.variable('OTEL_EXPORTER_OTLP_ENDPOINT')
  return withPath(all === undefined ? DEFAULT_ENDPOINT : checkedUrl(all))
}

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

interface Variable {
  readonly name: string
  readonly value: string
}

class Variables {
  readonly #environment: Environment

  constructor(environment: Environment) {
    this.#environment = environment
  }

  variable(name: string): Variable | undefined {
    const value = this.#environment[name]?.trim()
    return value === undefined || value === '' ? undefined : { name, value }
  }

  text(name: string): string | undefined {
    return this.variable(name)?.value
  }

  ofSignal(signal: Signal, name: string): Variable | undefined {
    const own = this.variable(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`)
    return own ?? this.variable(`OTEL_EXPORTER_OTLP_${name}`)
  }

  isSet(name: string): boolean {
    return this.ofSignal('traces', name) !== undefined || this.ofSignal('metrics', name) !== undefined
  }

  milliseconds(name: string): number | undefined {
    return millisecondsOf(this.variable(name))
  }

  sample(): number | undefined {
    const sampler = oneOf(this.variable('OTEL_TRACES_SAMPLER'), SAMPLERS)
    if (sampler === 'always_off' || sampler === 'parentbased_always_off') return 0
    if (sampler === undefined || !sampler.endsWith('traceidratio')) return undefined
    const given = this.variable('OTEL_TRACES_SAMPLER_ARG')
    if (given === undefined) return undefined
    const share = Number(given.value)
    return share >= 0 && share <= 1 ? share : fail(given, 'expected a share from 0 to 1, such as 0.2')
  }
}

const placeOf = ({ name }: Variable): string => `the variable ${name} of the environment`

function fail(variable: Variable, expected: string): never {
  throw new EdgeError('config-invalid', `${placeOf(variable)}: ${expected}`)
}

function checkedUrl(variable: Variable): string {
  if (isCollectorUrl(variable.value)) return variable.value
  return fail(variable, 'expected "http://HOST:PORT" or "https://HOST:PORT", with or without a path')
}

function oneOf<Word extends string>(
  variable: Variable | undefined,
  words: readonly Word[],
): Word | undefined {
  if (variable === undefined) return undefined
  const found = words.find((word) => word === variable.value)
  const grpc = variable.value === 'grpc' ? ', got "grpc", which Orla does not speak' : ''
  return found ?? fail(variable, `expected ${words.map((word) => `"${word}"`).join(' or ')}${grpc}`)
}

function millisecondsOf(variable: Variable | undefined): number | undefined {
  if (variable === undefined) return undefined
  const isWhole = /^[1-9]\d{0,8}$/.test(variable.value)
  return isWhole ? Number(variable.value) : fail(variable, 'expected a number of milliseconds, such as 10000')
}

const PAIRS_EXPECTED = 'expected a list such as "name=value,other=value", with %-escapes where need be'

/** W3C Baggage without its properties, as OpenTelemetry has it for both lists. */
function pairsIn(variable: Variable): readonly (readonly [name: string, value: string])[] {
  return variable.value
    .split(',')
    .filter((member) => member.trim() !== '')
    .map((member) => {
      const equals = member.indexOf('=')
      if (equals < 1) return fail(variable, PAIRS_EXPECTED)
      try {
        return [
          decodeURIComponent(member.slice(0, equals).trim()),
          decodeURIComponent(member.slice(equals + 1).trim()),
        ] as const
      } catch {
        return fail(variable, PAIRS_EXPECTED)
      }
    })
}

function headersIn(variable: Variable | undefined): Readonly<Record<string, string>> {
  if (variable === undefined) return {}
  const pairs = pairsIn(variable)
  if (pairs.every(([name, value]) => isHeader(name, value))) return Object.fromEntries(pairs)
  return fail(
    variable,
    'expected names and values as HTTP allows them, and none of `host`, `connection`, `content-…`',
  )
}

function resourceOf(otlp: OtlpConfig, variables: Variables, identity: NodeIdentity): Record<string, string> {
  const given = variables.variable('OTEL_RESOURCE_ATTRIBUTES')
  const pairs: Record<string, string> = given === undefined ? {} : Object.fromEntries(pairsIn(given))
  if (given !== undefined && !isResource(pairs))
    fail(given, 'expected at most 64 attributes, none longer than 1024 characters')
  const name = variables.variable('OTEL_SERVICE_NAME')
  if (name !== undefined && !isResource({ name: name.value })) fail(name, 'expected at most 1024 characters')
  return {
    'service.name': 'orla',
    'service.version': identity.version,
    'service.instance.id': identity.name,
    'host.name': identity.host,
    // Ours, and not OpenTelemetry's own SDK.
    'telemetry.sdk.name': 'orla',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.version': identity.version,
    ...pairs,
    ...(name !== undefined && { 'service.name': name.value }),
    ...otlp.resource,
  }
}
