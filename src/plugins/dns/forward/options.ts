/** What a `forward` line and its block say. */
import { readFileSync } from 'node:fs'
import { createSecureContext, getCACertificates } from 'node:tls'
import type { CorefileLine, CorefileWord, DnsController } from '../../../contract/dns.ts'
import { counted, spanOf } from '../line-words.ts'
import {
  nameserversOf,
  parseUpstreamAddress,
  schemeOf,
  type UpstreamAddress,
} from '../../../upstream/upstream-address.ts'
import { parseRcode, RCODE } from '../../../wire/dns/codes.ts'
import { DnsName, DnsNameError } from '../../../wire/dns/name.ts'
import { isPolicy, POLICIES, type PolicyName } from './policy.ts'

export interface ForwardOptions {
  readonly from: DnsName
  readonly to: readonly UpstreamAddress[]
  readonly except: readonly DnsName[]
  readonly isTcpForced: boolean
  readonly isUdpPreferred: boolean
  readonly isCaseRandom: boolean
  readonly expireMs: number
  readonly failsMax: number
  /** Zero: as many as there is time for. */
  readonly attemptsMax: number
  readonly policy: PolicyName
  readonly probe: {
    readonly intervalMs: number
    readonly isRecursionDesired: boolean
    readonly domain: DnsName
  }
  /** Zero: no bound but that of the sockets. */
  readonly concurrentMax: number
  /** With these rcodes the next `forward` of the block is asked. */
  readonly nextOn: readonly number[]
  /** Where there is no such type, too. */
  readonly isNextOnNodata: boolean
  /** Connections to each server; zero: as many as there are at most. */
  readonly connectionsMax: number
  /** With these rcodes the next server is asked. */
  readonly failoverOn: readonly number[]
  readonly failsFast: boolean
  readonly serverName: string
  readonly tls: TlsFiles
}

export interface TlsFiles {
  readonly cert?: string
  readonly key?: string
  readonly ca?: string
}

const SERVERS_MAX = 15
const NUMBER_MAX = 2 ** 31 - 1

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export function readOptions(controller: DnsController, line: CorefileLine): ForwardOptions {
  const [from, ...to] = line.args
  if (!from || to.length === 0)
    return controller.fail(
      line,
      "Wrong argument count or unexpected line ending after 'forward': expected forward FROM TO...",
    )
  const [zone, ...others] = controller.zonesOf([from])
  if (others.length > 0)
    controller.log.warn(`${from.text} is several zones: only ${zone!.toString()} is forwarded`)
  const options: Mutable<ForwardOptions> = {
    from: zone!,
    to: to.flatMap((word) => serversOf(controller, word)),
    except: [],
    isTcpForced: false,
    isUdpPreferred: false,
    isCaseRandom: false,
    expireMs: 10_000,
    failsMax: 2,
    attemptsMax: 0,
    policy: 'random',
    probe: { intervalMs: 500, isRecursionDesired: true, domain: DnsName.ROOT },
    concurrentMax: 0,
    nextOn: [],
    isNextOnNodata: false,
    connectionsMax: 0,
    failoverOn: [],
    failsFast: false,
    serverName: '',
    tls: {},
  }
  if (options.to.length > SERVERS_MAX)
    controller.fail(line, `more than ${SERVERS_MAX} TOs configured: ${options.to.length}`)
  for (const property of line.block ?? []) {
    const read = PROPERTIES[property.name.text]
    if (read) read(controller, property, options)
    else
      controller.fail(
        property,
        `unknown property '${property.name.text}': expected one of ${Object.keys(PROPERTIES).join(', ')}`,
      )
  }
  const named = options.to.find(({ serverName }) => serverName !== '')
  if (named && options.serverName !== '')
    controller.fail(
      line,
      `tls_servername and the name in ${named.text}%${named.serverName} contradict each other: expected one of them`,
    )
  return options
}

type ReadProperty = (controller: DnsController, line: CorefileLine, options: Mutable<ForwardOptions>) => void

const PROPERTIES: Readonly<Record<string, ReadProperty>> = {
  except: (controller, line, options) => {
    options.except = [...options.except, ...controller.zonesOf(counted(controller, line, 1, Infinity))]
  },
  force_tcp: (controller, line, options) => {
    counted(controller, line, 0, 0)
    options.isTcpForced = true
  },
  prefer_udp: (controller, line, options) => {
    counted(controller, line, 0, 0)
    options.isUdpPreferred = true
  },
  random_case: (controller, line, options) => {
    counted(controller, line, 0, 0)
    options.isCaseRandom = true
  },
  expire: (controller, line, options) => {
    options.expireMs = spanOf(controller, counted(controller, line, 1, 1)[0]!, 'expire')
  },
  max_fails: (controller, line, options) => {
    options.failsMax = whole(controller, counted(controller, line, 1, 1)[0]!, 'max_fails')
  },
  max_connect_attempts: (controller, line, options) => {
    options.attemptsMax = whole(controller, counted(controller, line, 1, 1)[0]!, 'max_connect_attempts')
  },
  tls: (controller, line, options) => {
    const paths = counted(controller, line, 0, 3).map((word) => controller.path(word.text))
    const [first, second, third] = paths
    options.tls =
      paths.length === 1
        ? { ca: first! }
        : {
            ...(first !== undefined && { cert: first, key: second! }),
            ...(third !== undefined && { ca: third }),
          }
    // What cannot be used is known now, not with the first query.
    try {
      contextOf(options.tls)
    } catch (error) {
      controller.fail(line, `tls: ${(error as Error).message}`)
    }
  },
  tls_servername: (controller, line, options) => {
    options.serverName = counted(controller, line, 1, 1)[0]!.text
  },
  policy: (controller, line, options) => {
    const [word] = counted(controller, line, 1, 1)
    if (isPolicy(word!.text)) options.policy = word!.text
    else controller.fail(word!, `unknown policy '${word!.text}': expected one of ${POLICIES.join(', ')}`)
  },
  health_check: (controller, line, options) => {
    const [time, ...more] = counted(controller, line, 1, Infinity)
    let probe = {
      intervalMs: spanOf(controller, time!, 'health_check'),
      isRecursionDesired: true,
      domain: DnsName.ROOT,
    }
    for (let at = 0; at < more.length; at++) {
      const word = more[at]!
      if (word.text === 'no_rec') probe = { ...probe, isRecursionDesired: false }
      else if (word.text !== 'domain')
        controller.fail(word, `health_check: unknown option ${word.text}: expected no_rec or domain FQDN`)
      else {
        const domain = more[(at += 1)]
        if (!domain)
          controller.fail(
            word,
            "Wrong argument count or unexpected line ending after 'domain': expected a name",
          )
        else probe = { ...probe, domain: nameOf(controller, domain) }
      }
    }
    options.probe = probe
  },
  max_concurrent: (controller, line, options) => {
    options.concurrentMax = whole(controller, counted(controller, line, 1, 1)[0]!, 'max_concurrent')
  },
  next: (controller, line, options) => {
    options.nextOn = counted(controller, line, 1, Infinity).map((word) => rcodeOf(controller, word))
  },
  next_on_nodata: (controller, line, options) => {
    counted(controller, line, 0, 0)
    options.isNextOnNodata = true
  },
  max_idle_conns: (controller, line, options) => {
    options.connectionsMax = whole(controller, counted(controller, line, 1, 1)[0]!, 'max_idle_conns')
  },
  failover: (controller, line, options) => {
    options.failoverOn = counted(controller, line, 1, Infinity).map((word) => {
      const rcode = rcodeOf(controller, word)
      return rcode === RCODE.NOERROR
        ? controller.fail(word, 'failover: NOERROR cannot be used: it is no failure')
        : rcode
    })
  },
  failfast_all_unhealthy_upstreams: (controller, line, options) => {
    counted(controller, line, 0, 0)
    options.failsFast = true
  },
}

/** Certificates of the system are trusted where none are named. */
export function contextOf({ cert, key, ca }: TlsFiles) {
  const system = getCACertificates('system')
  return createSecureContext({
    ...(ca !== undefined ? { ca: readFileSync(ca) } : system.length > 0 && { ca: system }),
    ...(cert !== undefined && key !== undefined && { cert: readFileSync(cert), key: readFileSync(key) }),
  })
}

function serversOf(controller: DnsController, word: CorefileWord): UpstreamAddress[] {
  const { text } = word
  const address = parseUpstreamAddress(text)
  if (address) return [address]
  const scheme = schemeOf(text)
  if (scheme !== 'dns' && scheme !== 'tls')
    return controller.fail(
      word,
      `'${scheme}' is not supported as a destination protocol in forward: ${text}: expected dns:// or tls://`,
    )
  let file: string
  try {
    file = readFileSync(controller.path(text), 'utf8')
  } catch {
    return controller.fail(word, `not an IP address or file: "${text}"`)
  }
  const servers = nameserversOf(file)
  return servers.length > 0 ? servers : controller.fail(word, `no nameservers found in ${text}`)
}

function whole(controller: DnsController, word: CorefileWord, what: string): number {
  if (/^-\d+$/.test(word.text)) return controller.fail(word, `${what} can't be negative: ${word.text}`)
  const number = /^\d+$/.test(word.text) ? Number(word.text) : Number.NaN
  return number <= NUMBER_MAX
    ? number
    : controller.fail(word, `${what}: invalid number ${word.text}: expected 0 to ${NUMBER_MAX}`)
}

const rcodeOf = (controller: DnsController, word: CorefileWord): number =>
  parseRcode(word.text) ??
  controller.fail(word, `${word.text} is not a valid rcode: expected one such as NXDOMAIN`)

function nameOf(controller: DnsController, word: CorefileWord): DnsName {
  try {
    return DnsName.parse(word.text.toLowerCase())
  } catch (error) {
    if (error instanceof DnsNameError)
      return controller.fail(word, `health_check: invalid domain name ${word.text}: ${error.message}`)
    throw error
  }
}
