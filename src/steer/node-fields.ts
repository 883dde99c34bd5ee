/** Nodes as people write them: fields with words behind them, in a Corefile or in a file of their own. */
import { parseGoDuration } from '../base/go-duration.ts'
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import { nearest } from '../base/nearest.ts'
import { DnsName, DnsNameError } from '../wire/dns/name.ts'
import {
  CONTINENTS,
  type Coordinates,
  type EdgeNode,
  type FenceWord,
  type NodeStateName,
  parseFenceWord,
  type ProbeTarget,
} from './node.ts'

/** A node that is being read. */
export interface NodeDraft {
  readonly name: string
  addresses: IpAddress[]
  cname: DnsName | undefined
  location: Coordinates | undefined
  country: string | undefined
  continent: string | undefined
  asns: number[]
  weight: number
  priority: number
  fence: FenceWord[]
  probe: ProbeTarget | undefined
  edge: string
  forced: NodeStateName | undefined
}

/** More addresses fit into no answer that everybody can take. */
const ADDRESSES_MAX = 16
const STATES = ['up', 'down', 'drain']

/** A label of a metric, a word of a TXT record: nothing that would have to be quoted there. */
export const isNodeName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)

export const draftOf = (name: string): NodeDraft => ({
  name,
  addresses: [],
  cname: undefined,
  location: undefined,
  country: undefined,
  continent: undefined,
  asns: [],
  weight: 1,
  priority: 1,
  fence: [],
  probe: undefined,
  edge: name,
  forced: undefined,
})

type Reader = (draft: NodeDraft, words: readonly string[]) => string | undefined

const FIELDS: Readonly<Record<string, Reader>> = {
  address: (draft, words) => {
    for (const word of words) {
      const ip = parseIp(word)
      if (ip === undefined) return `'${word}' is no address: expected one such as 192.0.2.1 or 2001:db8::1`
      draft.addresses.push(ip)
    }
    if (draft.addresses.length > ADDRESSES_MAX) return `a node has at most ${ADDRESSES_MAX} addresses`
    return words.length === 0 ? 'expected at least one address' : undefined
  },
  cname: (draft, words) => {
    const [word] = words
    if (word === undefined || words.length > 1) return 'expected one name'
    try {
      draft.cname = DnsName.parse(word)
      return undefined
    } catch (error) {
      if (error instanceof DnsNameError) return error.message
      throw error
    }
  },
  location: (draft, words) => {
    const [latitude = Number.NaN, longitude = Number.NaN] = words.map((word) => numberIn(word, -180, 180))
    if (words.length !== 2 || Number.isNaN(longitude) || !(Math.abs(latitude) <= 90))
      return 'expected latitude (-90 to 90) and longitude (-180 to 180) in degrees, such as -23.55 -46.63'
    draft.location = { latitude, longitude }
    return undefined
  },
  country: (draft, words) => {
    const [word = ''] = words
    if (words.length !== 1 || !/^[A-Za-z]{2}$/.test(word))
      return 'expected one country by its two letters of ISO 3166-1, such as BR'
    draft.country = word.toUpperCase()
    return undefined
  },
  continent: (draft, words) => {
    const code = words[0]?.toUpperCase() ?? ''
    if (words.length !== 1 || !CONTINENTS.includes(code)) return `expected one of ${CONTINENTS.join(', ')}`
    draft.continent = code
    return undefined
  },
  asn: (draft, words) => {
    for (const word of words) {
      const number = numberIn(word.replace(/^AS/i, ''), 0, 0xffff_ffff)
      if (!Number.isInteger(number)) return `'${word}' is no number of a network: expected one such as 64500`
      draft.asns.push(number)
    }
    return words.length === 0 ? 'expected at least one number of a network, such as 64500' : undefined
  },
  weight: (draft, words) => {
    const weight = words.length === 1 ? numberIn(words[0]!, 0, 65_535) : Number.NaN
    if (Number.isNaN(weight)) return 'expected a number from 0 to 65535'
    draft.weight = weight
    return undefined
  },
  priority: (draft, words) => {
    const priority = words.length === 1 ? numberIn(words[0]!, 0, 65_535) : Number.NaN
    if (!Number.isInteger(priority)) return 'expected a whole number from 0 to 65535'
    draft.priority = priority
    return undefined
  },
  geofence: (draft, words) => {
    for (const word of words) {
      const fence = parseFenceWord(word)
      if (fence === undefined)
        return `'${word}' is no fence: expected a country such as BR, a continent such as continent:SA, or a network such as AS64500`
      draft.fence.push(fence)
    }
    return words.length === 0 ? 'expected at least one country, continent or network' : undefined
  },
  edge: (draft, words) => {
    if (words.length !== 1) return 'expected one name of an edge of the control plane'
    draft.edge = words[0]!
    return undefined
  },
  force: (draft, words) => {
    if (words.length !== 1 || !STATES.includes(words[0]!)) return `expected one of ${STATES.join(', ')}`
    draft.forced = words[0] as NodeStateName
    return undefined
  },
  probe: (draft, words) => {
    const target = parseProbe(words)
    if (typeof target === 'string') return target
    draft.probe = target
    return undefined
  },
}

export const NODE_FIELDS = Object.keys(FIELDS)

/** Sets a field; returns a sentence where that is wrong. */
export function setField(draft: NodeDraft, field: string, words: readonly string[]): string | undefined {
  if (!Object.hasOwn(FIELDS, field)) {
    const meant = nearest(field, NODE_FIELDS)
    return `unknown property '${field}'${meant === undefined ? '' : `; did you mean '${meant}'?`} Known are ${NODE_FIELDS.join(', ')}`
  }
  const wrong = FIELDS[field]!(draft, words)
  return wrong === undefined ? undefined : `${field}: ${wrong}`
}

/** The node, or a sentence that says what it lacks. */
export function nodeOf({ addresses, asns, fence, ...draft }: NodeDraft): EdgeNode | string {
  if (addresses.length === 0 && draft.cname === undefined)
    return `node '${draft.name}' has no address and no cname: clients could not be sent there`
  return {
    ...draft,
    v4: addresses.filter(({ family }) => family === 4),
    v6: addresses.filter(({ family }) => family === 6),
    asns: [...asns],
    fence: [...fence],
  }
}

const PROBE_FORM =
  'expected http://192.0.2.1/health, https://… or tcp://192.0.2.1:443, then any of interval 5s, timeout 2s, rise 2, fall 3, status 200,204, host NAME'

function parseProbe([url = '', ...words]: readonly string[]): ProbeTarget | string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (!parsed || !['http:', 'https:', 'tcp:'].includes(parsed.protocol) || parsed.hostname === '')
    return PROBE_FORM
  if (parsed.username !== '' || parsed.password !== '') return 'a probe takes no password'
  if (parsed.protocol === 'tcp:' && !(Number(parsed.port) > 0))
    return `a tcp probe needs a port: ${PROBE_FORM}`
  const target = {
    url,
    intervalMs: 5000,
    timeoutMs: 2000,
    rise: 2,
    fall: 3,
    statuses: [] as number[],
    host: undefined as string | undefined,
  }
  for (let at = 0; at < words.length; at += 2) {
    const [option, value = ''] = [words[at]!, words[at + 1]]
    const wrong = `${option} '${value}' is wrong: ${PROBE_FORM}`
    if (option === 'interval' || option === 'timeout') {
      const ms = parseGoDuration(value)
      if (ms === undefined || ms < 10 || ms > 3_600_000) return wrong
      target[option === 'interval' ? 'intervalMs' : 'timeoutMs'] = ms
    } else if (option === 'rise' || option === 'fall') {
      const count = numberIn(value, 1, 100)
      if (!Number.isInteger(count)) return wrong
      target[option] = count
    } else if (option === 'status') {
      target.statuses = value.split(',').map((status) => numberIn(status, 100, 599))
      if (!target.statuses.every((status) => Number.isInteger(status))) return wrong
    } else if (option === 'host') {
      if (!/^[A-Za-z0-9._:[\]-]{1,255}$/.test(value)) return wrong
      target.host = value
    } else return `unknown option '${option}' of a probe: ${PROBE_FORM}`
  }
  return target
}

/** NaN where it is no number of that range. */
function numberIn(text: string, least: number, most: number): number {
  const number = /^-?\d{1,10}(?:\.\d{1,10})?$/.test(text) ? Number(text) : Number.NaN
  return number >= least && number <= most ? number : Number.NaN
}
