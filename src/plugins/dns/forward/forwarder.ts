/**
 * One `forward` line: its servers, tried one after another until one answers or the time is up.
 *
 * A server that does not answer is probed until it does, and passed over meanwhile; where all are passed over, the probes may be what is wrong, and one by
 * chance is asked all the same.
 */
import type {
  DnsController,
  DnsCounter,
  DnsHistogram,
  DnsQuery,
  NothingWritten,
} from '../../../contract/dns.ts'
import { Upstream } from '../../../upstream/upstream.ts'
import { UpstreamError, type UpstreamFailure } from '../../../upstream/upstream-error.ts'
import { UpstreamHealth } from '../../../upstream/upstream-health.ts'
import { type ExtendedError, OPTION, RCODE, rcodeName } from '../../../wire/dns/codes.ts'
import type { EdnsOption } from '../../../wire/dns/edns.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { contextOf, type ForwardOptions } from './options.ts'
import { policyFor } from './policy.ts'

/** For all attempts together; one waits two seconds. */
const DEADLINE_MS = 5000
/** How often each server is tried: a packet may be lost. */
const ROUNDS = 2
/** Larger packets are cut to pieces on the way, and pieces get lost (RFC 9715 §3.1). */
const UDP_SIZE = 1232

/** Between two neighbours only (RFC 6891 §6.2.6): not handed on, either way. */
const OF_ONE_HOP: readonly number[] = [
  OPTION.NSID,
  OPTION.COOKIE,
  OPTION.TCP_KEEPALIVE,
  OPTION.PADDING,
  OPTION.EXPIRE,
]

const ERRORS: Readonly<Record<UpstreamFailure, ExtendedError>> = {
  timeout: 'no reachable authority',
  refused: 'network error',
  closed: 'network error',
  untrusted: 'network error',
  malformed: 'invalid data',
  mismatch: 'invalid data',
  overloaded: 'other',
  stopped: 'not ready',
}

interface Server {
  readonly upstream: Upstream
  readonly health: UpstreamHealth
}

export class Forwarder {
  readonly options: ForwardOptions
  readonly #servers: readonly Server[]
  readonly #first: (count: number) => number
  readonly #random: () => number
  readonly #steadyNow: () => number
  readonly #durations: DnsHistogram
  readonly #broken: DnsCounter
  readonly #rejects: DnsCounter
  #concurrent = 0

  constructor(options: ForwardOptions, { host, metrics }: DnsController) {
    this.options = options
    this.#random = host.random
    this.#steadyNow = host.steadyNow
    this.#first = policyFor(options.policy, host.random)
    const counter = (name: string, help: string, labels: string[] = []) => metrics.counter(name, help, labels)
    this.#broken = counter(
      'coredns_forward_healthcheck_broken_total',
      'Counter of the number of complete failures of the healthchecks.',
    )
    this.#rejects = counter(
      'coredns_forward_max_concurrent_rejects_total',
      'Counter of the number of queries rejected because the concurrent queries were at maximum.',
    )
    this.#durations = metrics.histogram(
      'coredns_proxy_request_duration_seconds',
      'Histogram of the time each request took.',
      Array.from({ length: 16 }, (_, power) => 0.00025 * 2 ** power),
      ['proxy_name', 'to', 'rcode'],
    )
    const probeFailures = counter(
      'coredns_proxy_healthcheck_failures_total',
      'Counter of the number of failed healthchecks.',
      ['proxy_name', 'to'],
    )
    const link = ['proxy_name', 'to', 'proto']
    const reused = counter(
      'coredns_proxy_conn_cache_hits_total',
      'Counter of connection cache hits per upstream and protocol.',
      link,
    )
    const opened = counter(
      'coredns_proxy_conn_cache_misses_total',
      'Counter of connection cache misses per upstream and protocol.',
      link,
    )
    const context = options.to.some(({ transport }) => transport === 'tls')
      ? contextOf(options.tls)
      : undefined
    this.#servers = options.to.map((address) => {
      const upstream = new Upstream(address, {
        expireMs: options.expireMs,
        isCaseRandom: options.isCaseRandom,
        connectionsMax: options.connectionsMax,
        ...(context && {
          tls: { context, serverName: address.serverName || options.serverName, session: undefined },
        }),
        onSend: (proto, isReused) => (isReused ? reused : opened).add(1, 'forward', address.text, proto),
      })
      const health = new UpstreamHealth(upstream, {
        ...options.probe,
        isTcp: options.isTcpForced,
        onFailure: () => probeFailures.add(1, 'forward', address.text),
      })
      return { upstream, health }
    })
  }

  close(): void {
    for (const { upstream, health } of this.#servers) {
      health.close()
      upstream.close()
    }
  }

  async ask(query: DnsQuery): Promise<DnsMessage | NothingWritten> {
    const { concurrentMax } = this.options
    if (concurrentMax > 0 && this.#concurrent >= concurrentMax) {
      this.#rejects.add(1)
      query.explain('other', `forward: concurrent queries exceeded maximum ${concurrentMax}`)
      return RCODE.REFUSED
    }
    this.#concurrent += 1
    try {
      return await this.#tryAll(query)
    } finally {
      this.#concurrent -= 1
    }
  }

  async #tryAll(query: DnsQuery): Promise<DnsMessage | NothingWritten> {
    const { failoverOn, attemptsMax, failsMax } = this.options
    const { length } = this.#servers
    const first = this.#first(length)
    const asked = questionFor(query)
    const deadlineMs = this.#steadyNow() + DEADLINE_MS
    /** What went wrong, by server. */
    const wrong = new Map<string, UpstreamError>()
    let refusal: DnsMessage | undefined
    let down = 0
    let attempts = 0
    for (let turn = 0; turn < length * ROUNDS && this.#steadyNow() < deadlineMs; turn++) {
      if (turn % length === 0) down = 0
      let server = this.#servers[(first + turn) % length]!
      if (server.health.isDown(failsMax)) {
        down += 1
        if (down < length) continue
        this.#broken.add(1)
        if (this.options.failsFast) break
        server = this.#servers[Math.floor(this.#random() * length)]!
      }
      try {
        const answer = await this.#exchange(server, query, asked)
        if (!failoverOn.includes(answer.rcode)) return answer
        refusal = answer
        // Each server says it once.
        if (turn >= length - 1) break
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error
        wrong.set(server.upstream.name, error)
        // That we wait for too much says nothing of the server.
        if (failsMax > 0 && error.failure !== 'overloaded') server.health.check()
        attempts += 1
        if (attempts === attemptsMax || down === length) break
      }
    }
    if (refusal) return refusal
    if (wrong.size === 0) query.explain('no reachable authority', 'forward: no healthy servers')
    for (const { failure, message } of wrong.values()) query.explain(ERRORS[failure], `forward: ${message}`)
    return RCODE.SERVFAIL
  }

  async #exchange({ upstream }: Server, query: DnsQuery, asked: DnsMessage): Promise<DnsMessage> {
    const { isTcpForced, isUdpPreferred } = this.options
    const isTcp = isTcpForced || (!isUdpPreferred && query.proto() === 'tcp')
    const startMs = this.#steadyNow()
    if (query.metadata.has(UPSTREAM_LABEL)) query.metadata.set(UPSTREAM_LABEL, () => upstream.name)
    let answer = await upstream.exchange(asked, isTcp)
    if (answer.isTruncated && !isTcp && isUdpPreferred) answer = await upstream.exchange(asked, true)
    this.#durations.observe(
      (this.#steadyNow() - startMs) / 1000,
      'forward',
      upstream.name,
      rcodeName(answer.rcode),
    )
    if (answer.edns) answer.edns = { ...answer.edns, options: answer.edns.options.filter(isHandedOn) }
    query.sizeAndDo(answer)
    return answer
  }
}

/** Which server was asked, for other plugins. */
export const UPSTREAM_LABEL = 'forward/upstream'

/** The question as we ask it: what was meant for us alone stays here. */
function questionFor(query: DnsQuery): DnsMessage {
  const asked = query.message.copy()
  asked.question = [{ name: query.qname, type: query.qtype, class: query.qclass }]
  asked.answer = []
  asked.authority = []
  asked.additional = []
  if (asked.edns)
    asked.edns = { ...asked.edns, udpSize: UDP_SIZE, options: asked.edns.options.filter(isHandedOn) }
  return asked
}

const isHandedOn = ({ code }: EdnsOption): boolean => !OF_ONE_HOP.includes(code)
