/**
 * What an answer passes on its way out: which links, and what they make of its head.
 *
 * A body that a unit filters has another length and other bytes than its source said: so its length goes (the body leaves in chunks),
 * a strong `ETag` becomes weak, and what was computed over the bytes goes as well. What comes compressed is taken apart first: a filter
 * sees the content.
 */
import { failurePolicy, type FailureReason, type UnitVersion } from '../../contract/unit.ts'
import type { TripStep } from '../../contract/unit-runner.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { hasNoBody } from '../body-fit.ts'
import { timedMeta } from '../client-meta.ts'
import type { Exchange } from '../exchange.ts'
import { parseHeaderLines } from '../fields.ts'
import { BodyChain, type ChainSource } from './chain.ts'
import { CodingLink, decoderOf } from './coding-link.ts'
import { FilterLink, tooLong } from './filter-link.ts'
import type { BodyLink } from './link.ts'

/** The head of an answer before its framing. `bytes` is the length of its body, where it is known. */
export interface Outgoing {
  readonly status: number
  readonly reason: string
  readonly fields: string
  readonly bytes: number | undefined
}

/** The links of an answer and its head; no links: the body goes as it is. */
export interface Transformed {
  readonly fields: string
  /** The body will have another length than its source says. */
  readonly changesLength: boolean
  readonly links: readonly (FilterLink | CodingLink)[]
}

/** Headers that speak of the bytes of the body. */
const ABOUT_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'repr-digest',
])

/**
 * How the answer goes out. Undefined where a unit that cannot filter it fails closed: then it was answered.
 */
export function transform(exchange: Exchange, outgoing: Outgoing): Transformed | undefined {
  const { status, fields, bytes } = outgoing
  const { bodyFilter } = exchange.plan
  if (bodyFilter.length === 0) return { fields, changesLength: false, links: [] }
  const coding = contentCoding(fields)
  const isDecodable = coding === undefined || decoderOf(coding) !== undefined
  const steps: TripStep[] = []
  for (const step of bodyFilter) {
    const problem = !isDecodable
      ? { reason: 'throw' as const, message: `the body is encoded as ${coding}, which is not known here` }
      : coding === undefined && isLonger(step.unit, bytes)
        ? { reason: 'buffer' as const, message: tooLong(step.unit) }
        : undefined
    if (problem === undefined) steps.push(step)
    else if (!mayPass(exchange, step.unit, problem.reason, problem.message)) return undefined
  }
  if (steps.length === 0) return { fields, changesLength: false, links: [] }
  const filtered = filteredFields(fields, coding !== undefined)
  if (hasNoBody(status) || exchange.head.method === 'HEAD')
    return { fields: filtered, changesLength: true, links: [] }
  const context = { exchange, meta: timedMeta(exchange), response: `${status}\n${filtered}` }
  const filters = steps.map((step) => new FilterLink(context, step))
  return {
    fields: filtered,
    changesLength: true,
    links: coding === undefined ? filters : [new CodingLink(decoderOf(coding)!, undefined), ...filters],
  }
}

/** Puts the links between a source and the connection. */
export function startChain(
  exchange: Exchange,
  { status, reason }: Outgoing,
  { fields, links }: Transformed,
  source: ChainSource,
): BodyChain {
  const chain = new BodyChain(
    exchange,
    `HTTP/1.1 ${status} ${reason}\r\n${fields}`,
    links satisfies readonly BodyLink[],
    source,
  )
  for (const link of links) link.chain = chain
  exchange.finalFields = fields
  return chain
}

const isLonger = ({ manifest }: UnitVersion, bytes: number | undefined): boolean =>
  (manifest.buffer ?? 0) > 0 && bytes !== undefined && bytes > manifest.buffer!

/** A unit that cannot take the body is out of the way, or the answer is an error. */
function mayPass(exchange: Exchange, unit: UnitVersion, reason: FailureReason, message: string): boolean {
  exchange.node.runner.refused(unit, 'bodyFilter', reason, message)
  if (exchange.debug !== undefined) exchange.note(unit, 'bodyFilter', reason, 0)
  if (failurePolicy(unit.manifest, 'bodyFilter') === 'open') return true
  exchange.failUnit(unit.name, reason)
  return false
}

/** The value of `Content-Encoding`, where there is one that says something. */
function contentCoding(fields: string): string | undefined {
  const [, value] = /^content-encoding: *(.*?)\r$/im.exec(fields) ?? []
  return value === undefined || value === '' || value.toLowerCase() === 'identity' ? undefined : value
}

function filteredFields(fields: string, isDecoded: boolean): string {
  const before = parseHeaderLines(fields)
  const after: string[] = []
  for (let i = 0; i < before.length; i += 2) {
    const name = before[i]!.toLowerCase()
    if (ABOUT_BYTES.has(name) || (isDecoded && name === 'content-encoding')) continue
    const value = before[i + 1]!
    after.push(before[i]!, name === 'etag' ? weakened(value) : value)
  }
  return serialiseHeaders(after)
}

/** RFC 9110 §8.8.1: the same content in other bytes. */
export const weakened = (etag: string): string => (etag.startsWith('W/') ? etag : `W/${etag}`)
