/**
 * What an answer passes on its way out: which links, and what they make of its head.
 *
 *     source → taken apart → filters of units → compressed → connection
 *
 * A body that a unit filters has another length and other bytes than its source said: so its length goes (the body leaves in chunks),
 * a strong `ETag` becomes weak, and what was computed over the bytes goes as well. What comes compressed is taken apart first: a filter
 * sees the content. Compressed is what is left plain then, where the site says so and the client takes it.
 */
import { failurePolicy, type FailureReason, type UnitVersion } from '../../contract/unit.ts'
import type { TripStep } from '../../contract/unit-runner.ts'
import { headerValues, inLowerCase, type HeaderList } from '../../wire/http1/message.ts'
import { serialiseHeaders } from '../../wire/http1/serialise.ts'
import { hasNoBody } from '../body-fit.ts'
import { timedMeta } from '../client-meta.ts'
import type { Exchange } from '../exchange.ts'
import { parseHeaderLines } from '../fields.ts'
import { accepts, type Coding } from './accept-encoding.ts'
import { BodyChain, type ChainSource } from './chain.ts'
import { CodingLink } from './coding-link.ts'
import { decoderOf } from './codings.ts'
import { FilterLink, tooLong } from './filter-link.ts'
import { codingsFor } from './compression.ts'
import { encodedHeaders, otherBytes, variedHeaders, weakTags } from './head-edits.ts'

/** The head of an answer before its framing. `bytes` is the length of its body, where it is known. */
export interface Outgoing {
  readonly status: number
  readonly reason: string
  readonly fields: string
  readonly bytes: number | undefined
}

export interface Transformed {
  readonly fields: string
  /** The body will have another length than its source says. */
  readonly changesLength: boolean
  /** What the body passes; with no link and no coding it goes as it is. */
  readonly links: readonly (FilterLink | CodingLink)[]
  readonly coding: Coding | undefined
}

const untouched = (fields: string): Transformed => ({
  fields,
  changesLength: false,
  links: [],
  coding: undefined,
})

/** How the answer goes out. Undefined where a unit that cannot filter it fails closed: then it was answered. */
export function transform(exchange: Exchange, outgoing: Outgoing): Transformed | undefined {
  const { status, fields, bytes } = outgoing
  const headers = parseHeaderLines(fields)
  const coding = codingOf(headers)
  const steps = filtersFor(exchange, coding, bytes)
  if (steps === undefined) return undefined
  const { compress } = exchange.site ?? {}
  const acceptEncoding = headerValues(exchange.headers, 'accept-encoding')
  // The client cannot read what the origin sent.
  const isStrange = compress !== undefined && coding !== undefined && !accepts(acceptEncoding, coding)
  const decoder = coding === undefined ? undefined : decoderOf(coding)
  const isDecoded = decoder !== undefined && (steps.length > 0 || isStrange)
  const isOther = steps.length > 0 || isDecoded
  const plain = isOther ? otherBytes(headers, isDecoded) : headers
  const wanted = compress?.wanted(codingsFor(exchange.headers))
  if (status === 304) {
    // Its tag is that of the answer that would have had a body.
    const given = isOther || wanted?.coding !== undefined ? weakTags(plain) : plain
    return untouched(serialiseHeaders(compress === undefined ? given : variedHeaders(given)))
  }
  const length = isOther ? undefined : bytes
  const isFor =
    compress !== undefined &&
    !hasNoBody(status) &&
    compress.isFor(status, inLowerCase(plain), length, wanted!)
  if (!isOther && !isFor) return untouched(fields)
  const varied = isFor ? variedHeaders(plain) : plain
  const chosen = isFor ? wanted!.coding : undefined
  const final = serialiseHeaders(chosen === undefined ? varied : encodedHeaders(varied, chosen))
  const changesLength = isOther || chosen !== undefined
  if (hasNoBody(status) || exchange.head.method === 'HEAD') {
    return { fields: final, changesLength, links: [], coding: undefined }
  }
  const links: (FilterLink | CodingLink)[] = []
  if (isDecoded) links.push(new CodingLink(decoder.stream(), undefined))
  const context = {
    exchange,
    meta: steps.length === 0 ? '' : timedMeta(exchange),
    response: `${status}\n${final}`,
  }
  for (const step of steps) links.push(new FilterLink(context, step))
  return { fields: final, changesLength, links, coding: chosen }
}

/** Puts the links between a source and the connection. */
export function startChain(
  exchange: Exchange,
  { status, reason, bytes }: Outgoing,
  { fields, links, coding }: Transformed,
  source: ChainSource,
): BodyChain {
  const all = [...links]
  // Who does not say how much there is may send it little by little.
  if (coding !== undefined) all.push(exchange.site!.compress!.link(coding, bytes === undefined))
  const chain = new BodyChain(exchange, `HTTP/1.1 ${status} ${reason}\r\n${fields}`, all, source)
  for (const link of all) link.chain = chain
  exchange.finalFields = fields
  return chain
}

/** The units that filter this body; undefined where one that cannot has answered by failing. */
function filtersFor(
  exchange: Exchange,
  coding: string | undefined,
  bytes: number | undefined,
): readonly TripStep[] | undefined {
  const { bodyFilter } = exchange.plan
  if (bodyFilter.length === 0) return bodyFilter
  const isReadable = coding === undefined || decoderOf(coding) !== undefined
  const steps: TripStep[] = []
  for (const step of bodyFilter) {
    const { unit } = step
    if (!isReadable) {
      const message = `the body is encoded as ${coding}, which is not known here`
      if (!mayPass(exchange, unit, 'throw', message)) return undefined
    } else if (coding === undefined && isLonger(unit, bytes)) {
      if (!mayPass(exchange, unit, 'buffer', tooLong(unit))) return undefined
    } else {
      steps.push(step)
    }
  }
  return steps
}

const isLonger = ({ manifest }: UnitVersion, bytes: number | undefined): boolean =>
  (manifest.buffer ?? 0) > 0 && bytes !== undefined && bytes > manifest.buffer!

/** A unit that cannot take the body is out of the way, or the answer is an error. */
function mayPass(exchange: Exchange, unit: UnitVersion, reason: FailureReason, message: string): boolean {
  exchange.node.runner.refused(unit, 'bodyFilter', reason, message)
  if (failurePolicy(unit.manifest, 'bodyFilter') === 'open') return true
  exchange.failUnit(unit.name, reason)
  return false
}

/** The value of `Content-Encoding`, where there is one that says something. */
function codingOf(headers: HeaderList): string | undefined {
  const value = headerValues(inLowerCase(headers), 'content-encoding')
  return value === undefined || value === '' || value.toLowerCase() === 'identity' ? undefined : value
}
