/**
 * What a line of the access log can tell: the name in the configuration and in JSON, and where it comes from.
 *
 * A field with nothing to tell is left out.
 */
import type { TLSSocket } from 'node:tls'
import type { AccessLogField } from '../../config/access-log.ts'
import { versionKey } from '../../contract/unit.ts'
import type { TripStep } from '../../contract/unit-runner.ts'
import type { UnitPlan } from '../unit-plan.ts'
import { headerValue, headerValues } from '../../wire/http1/message.ts'
import { parseHeaderLines } from '../fields.ts'
import { jsonText, RepeatedText } from './escape.ts'
import { isoTime, milliseconds } from './line-times.ts'
import { type LoggedRequest, type Moment, statusOf } from './logged-request.ts'
import { requestIdOf } from '../request-id.ts'
import { continuedTrace } from '../trace-context.ts'

/** Adds itself to a line: its key, then JSON; or nothing where there is nothing to tell. Strings grow cheaply in V8. */
export type Field = (line: string, request: LoggedRequest, moment: Moment) => string

/** Makes the field for its key, which is `,"client":` or, at the front of a line, `"client":`. */
type FieldOf = (key: string) => Field

type Read = (request: LoggedRequest, moment: Moment) => string | undefined

/** Of clients: escaped. */
const text =
  (read: Read): FieldOf =>
  (key) =>
  (line, request, moment) => {
    const value = read(request, moment)
    return value === undefined || value === '' ? line : line + key + jsonText(value)
  }

/** Needs no escaping. */
const plain =
  (read: Read): FieldOf =>
  (key) =>
  (line, request, moment) => {
    const value = read(request, moment)
    return value === undefined ? line : `${line}${key}"${value}"`
  }

/** The same again and again: key and value are kept as one text. */
const repeated =
  (read: Read): FieldOf =>
  (key) => {
    const kept = new RepeatedText(key)
    return (line, request, moment) => {
      const value = read(request, moment)
      return value === undefined || value === '' ? line : line + kept.of(value)
    }
  }

const number =
  (read: (request: LoggedRequest, moment: Moment) => number): FieldOf =>
  (key) =>
  (line, request, moment) =>
    line + key + read(request, moment)

/** JSON as it is. */
const json =
  (read: Read): FieldOf =>
  (key) =>
  (line, request, moment) => {
    const value = read(request, moment)
    return value === undefined ? line : line + key + value
  }

const header = (name: string): FieldOf => repeated(({ head }) => head && headerValue(head.headers, name))

const FIELDS: Readonly<Record<AccessLogField, FieldOf>> = {
  time: json((_request, { nowMs }) => isoTime(nowMs)),
  client: repeated(({ client }) => client.address),
  clientPort: number(({ client }) => client.port),
  // A token of RFC 9110: the parser has seen to it.
  method: repeated(({ head }) => head?.method),
  scheme: repeated(({ client }) => client.scheme),
  host: repeated(({ head }) => head?.authority),
  target: text(({ head }) => head?.target),
  path: text(({ head }) => head?.path),
  query: text(({ head }) => head?.query),
  protocol: repeated(({ head }) => head && protocolOf(head)),
  status: number(statusOf),
  source: repeated(({ answered }) => answered?.source),
  aborted: json(({ gone }) => (gone ? 'true' : undefined)),
  bytesSent: number(({ bytesSent }) => bytesSent),
  bodyBytesSent: number(bodyBytes),
  bytesReceived: number(({ bytesReceived }) => bytesReceived),
  durationMs: json((_request, { durationMs }) => milliseconds(durationMs)),
  upstream: repeated(({ upstream }) => upstream),
  upstreamConnectMs: json(({ timing }) => timing && milliseconds(timing.upstreamConnectMs)),
  upstreamResponseMs: json(({ timing }) => timing && milliseconds(timing.upstreamResponseMs)),
  cache: repeated(({ cacheResult }) => cacheResult),
  limit: repeated(({ limit }) => limit),
  site: repeated(({ site }) => site?.name),
  units: json(unitsOf),
  requestId: plain(requestIdOf),
  traceId: plain((request) => (request.trace ?? continuedTrace(request))?.traceId),
  referer: header('referer'),
  userAgent: header('user-agent'),
  tlsVersion: repeated(({ connection }) => tlsOf(connection.socket)?.version),
  tlsCipher: repeated(({ connection }) => tlsOf(connection.socket)?.cipher),
  node: repeated((_request, { node }) => node),
  worker: number((_request, { worker }) => worker),
}

/** `request:NAME` and `response:NAME` are headers; several of one name are joined as HTTP does. */
function fieldOf(name: string): FieldOf {
  const [side, headerName] = name.split(':', 2)
  if (headerName === undefined) return FIELDS[name as AccessLogField]
  return side === 'request'
    ? text(({ head }) => head && headerValues(head.headers, headerName))
    : text(({ finalFields }) => headerValues(parseHeaderLines(finalFields), headerName))
}

/** The fields of a line in their order. The first one is always there, as `null` if need be: what follows begins with a comma. */
export function fieldsNamed(names: readonly string[]): readonly Field[] {
  return names.map((name, index) => {
    const key = `${JSON.stringify(name)}:`
    const make = fieldOf(name)
    if (index > 0) return make(`,${key}`)
    const field = make(key)
    return (line, request, moment) => {
      const longer = field(line, request, moment)
      return longer === line ? `${line}${key}null` : longer
    }
  })
}

export function protocolOf(head: { readonly minor: number; readonly protocol?: string }): string {
  return head.protocol ?? (head.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0')
}

/** What was sent after the head. */
export function bodyBytes({ bytesSent, headBytes }: LoggedRequest): number {
  return Math.max(0, bytesSent - headBytes)
}

interface Tls {
  readonly version: string
  readonly cipher: string
}

const tlsBySocket = new WeakMap<object, Tls>()

/** The same for all requests of a connection. */
function tlsOf(socket: object | undefined): Tls | undefined {
  if (socket === undefined || (socket as Partial<TLSSocket>).encrypted !== true) return undefined
  let tls = tlsBySocket.get(socket)
  if (tls === undefined) {
    const secured = socket as TLSSocket
    tls = { version: secured.getProtocol() ?? '', cipher: secured.getCipher()?.standardName ?? '' }
    tlsBySocket.set(socket, tls)
  }
  return tls
}

interface UnitsOfPlan {
  readonly onHit: string | undefined
  readonly onMiss: string | undefined
}

const unitsByPlan = new WeakMap<UnitPlan, UnitsOfPlan>()

/** `["token@3","hello@1"]`: those whose turn it was, in any phase. */
function unitsOf({ plan, answered, upstream }: LoggedRequest): string | undefined {
  let units = unitsByPlan.get(plan)
  if (units === undefined) {
    const { incoming, content, origin, originResponse, headerFilter, bodyFilter, log } = plan
    units = {
      onHit: namesOf([incoming, content, headerFilter, bodyFilter, log]),
      onMiss: namesOf([incoming, content, origin, originResponse, headerFilter, bodyFilter, log]),
    }
    unitsByPlan.set(plan, units)
  }
  return answered?.source === 'cache' && upstream === '' ? units.onHit : units.onMiss
}

function namesOf(phases: readonly (readonly TripStep[])[]): string | undefined {
  const names = new Set(phases.flat().map(({ unit }) => versionKey(unit)))
  return names.size === 0 ? undefined : `[${[...names].map(jsonText).join(',')}]`
}
