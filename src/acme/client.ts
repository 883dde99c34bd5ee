/**
 * Asks an ACME authority for certificates (RFC 8555): account, order, challenge, certificate.
 *
 * One order at a time, of one name. Each message is signed with the account's key and carries a nonce of the authority's; where it does not
 * like the nonce, it is asked once more.
 */
import { createHash, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { EdgeError } from '../base/errors.ts'
import type { AcmeConfig } from '../config/schema.ts'
import { certificateRequest } from './requests.ts'

export interface ChallengePublisher {
  /** Resolves when whomever the authority asks answers the challenge. */
  publish(name: string, token: string, keyAuthorisation: string): Promise<void>
  /** It is over, or was never published. Never rejects. */
  withdraw(name: string): Promise<void>
}

interface Answer {
  readonly status: number
  readonly location: string | undefined
  readonly text: string
  readonly json: Record<string, unknown>
}

/** How long it is waited for an authority, in milliseconds. */
export interface AcmeTimes {
  /** For one answer, whole. */
  readonly answer: number
  /** Between two looks at what it decides. */
  readonly poll: number
  /** For one decision. */
  readonly decision: number
}

const TIMES: AcmeTimes = { answer: 30_000, poll: 1000, decision: 120_000 }
const ANSWER_MAX_BYTES = 1_000_000
const TRIES_MAX = 5
/** Characters of what an authority says that are passed on. */
const PROBLEM_MAX = 500
/** RFC 8555 §8.1: the alphabet of base64url. It becomes part of a path. */
const TOKEN = /^[\w-]{1,1000}$/

export class AcmeClient {
  private readonly config: AcmeConfig
  private readonly accountKey: KeyObject
  private readonly ca: string | undefined
  private readonly times: AcmeTimes
  private readonly jwk: Readonly<Record<string, string>>
  private urls: Record<string, unknown> = {}
  private nonce: string | undefined
  private account: string | undefined

  constructor(config: AcmeConfig, accountKey: KeyObject, ca: string | undefined, times = TIMES) {
    this.config = config
    this.accountKey = accountKey
    this.ca = ca
    this.times = times
    const { crv, kty, x, y } = createPublicKey(accountKey).export({ format: 'jwk' }) as Record<string, string>
    // In the order that RFC 7638 §3 wants for the thumbprint.
    this.jwk = { crv: crv!, kty: kty!, x: x!, y: y! }
  }

  /** The chain in PEM. Throws `acme-failed` with what the authority says. */
  async obtain(name: string, key: KeyObject, publisher: ChallengePublisher): Promise<string> {
    await this.open()
    const order = await this.post(this.url('newOrder'), { identifiers: [{ type: 'dns', value: name }] })
    const orderUrl = order.location ?? fail('the order has no address')
    try {
      for (const authorisation of list(order.json['authorizations']))
        await this.authorise(authorisation, name, publisher)
      let state = await this.poll(orderUrl, ['ready', 'valid'])
      if (state.json['status'] === 'ready') {
        const csr = certificateRequest(name, key).toString('base64url')
        await this.post(text(state.json['finalize'], 'address to finalize the order at'), { csr })
        state = await this.poll(orderUrl, ['valid'])
      }
      return (await this.post(text(state.json['certificate'], 'address of the certificate'), '')).text
    } finally {
      await publisher.withdraw(name)
    }
  }

  private async authorise(url: string, name: string, publisher: ChallengePublisher): Promise<void> {
    const { json } = await this.post(url, '')
    if (json['status'] === 'valid') return
    const challenge = records(json['challenges']).find(({ type }) => type === this.config.challenge)
    if (challenge === undefined) return fail(`no ${this.config.challenge} is offered for ${name}`)
    const token = text(challenge['token'], 'token for its challenge')
    if (!TOKEN.test(token)) fail(`the token of its challenge for ${name} is not in form`)
    const thumbprint = createHash('sha256').update(JSON.stringify(this.jwk)).digest('base64url')
    await publisher.publish(name, token, `${token}.${thumbprint}`)
    await this.post(text(challenge['url'], 'address for its challenge'), {})
    await this.poll(url, ['valid'])
  }

  /** Directory and account. */
  private async open(): Promise<void> {
    const directory = await this.send(this.config.directory, 'GET')
    if (directory.status !== 200) fail(`its directory answered ${directory.status}`)
    this.urls = directory.json
    const { contact, externalAccount } = this.config
    const url = this.url('newAccount')
    const account = await this.post(
      url,
      {
        termsOfServiceAgreed: true,
        ...(contact.length > 0 && { contact: contact.map((address) => `mailto:${address}`) }),
        ...(externalAccount && { externalAccountBinding: this.bind(url, externalAccount) }),
      },
      true,
    )
    this.account = account.location ?? fail('the account has no address')
  }

  /** RFC 8555 §7.3.4: another account of the authority's vouches for this key. */
  private bind(url: string, { kid, hmacKey }: NonNullable<AcmeConfig['externalAccount']>): unknown {
    const header = encode({ alg: 'HS256', kid, url })
    const payload = encode(this.jwk)
    const signature = createHmac('sha256', Buffer.from(hmacKey, 'base64url')).update(`${header}.${payload}`)
    return { protected: header, payload, signature: signature.digest('base64url') }
  }

  private async poll(url: string, wanted: readonly string[]): Promise<Answer> {
    const end = performance.now() + this.times.decision
    while (performance.now() < end) {
      const answer = await this.post(url, '')
      const status = String(answer.json['status'])
      if (wanted.includes(status)) return answer
      if (status !== 'pending' && status !== 'processing' && status !== 'ready')
        fail(`${status}: ${problemText(answer)}`)
      await new Promise((resolve) => setTimeout(resolve, this.times.poll))
    }
    return fail(`it did not come to a decision within ${this.times.decision / 1000} s`)
  }

  /** A signed message; the empty text asks for what is at the address (§6.3). */
  private async post(url: string, payload: unknown, isFirst = false): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      this.nonce ??= (await this.freshNonce()) ?? fail('it gives no nonce')
      const header = encode({
        alg: 'ES256',
        ...(isFirst ? { jwk: this.jwk } : { kid: this.account }),
        nonce: this.nonce,
        url,
      })
      this.nonce = undefined
      const body = payload === '' ? '' : encode(payload)
      const signature = sign('sha256', Buffer.from(`${header}.${body}`), {
        key: this.accountKey,
        dsaEncoding: 'ieee-p1363',
      }).toString('base64url')
      const answer = await this.send(
        url,
        'POST',
        JSON.stringify({ protected: header, payload: body, signature }),
      )
      if (answer.status < 400) return answer
      const isNonce = String(answer.json['type']).endsWith(':badNonce')
      if (!isNonce || tries === TRIES_MAX) fail(problemText(answer))
    }
  }

  private async freshNonce(): Promise<string | undefined> {
    await this.send(this.url('newNonce'), 'HEAD')
    return this.nonce
  }

  private url(name: string): string {
    return text(this.urls[name], `${name} in its directory`)
  }

  private send(url: string, method: string, body?: string): Promise<Answer> {
    if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
      fail(`it gives "${url.slice(0, 80)}" for an address`)
    const request = url.startsWith('https:') ? requestHttps : requestHttp
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const headers = {
      'user-agent': 'orla',
      ...(body !== undefined && { 'content-type': 'application/jose+json' }),
    }
    const outgoing = request(url, {
      method,
      headers,
      agent: false,
      ...(this.ca !== undefined && { ca: this.ca }),
    })
    const failed = (error: NodeJS.ErrnoException) =>
      reject(new EdgeError('acme-failed', `${new URL(url).host}: ${reasonOf(error)}`))
    const timer = setTimeout(() => {
      failed(new Error(`no whole answer within ${this.times.answer / 1000} s`))
      outgoing.destroy()
    }, this.times.answer)
    outgoing.on('close', () => clearTimeout(timer))
    outgoing.on('error', failed)
    outgoing.on('response', (incoming) => {
      let received = ''
      incoming.setEncoding('utf8').on('data', (piece: string) => {
        received += piece
        if (received.length <= ANSWER_MAX_BYTES) return
        failed(new Error(`its answer is longer than ${ANSWER_MAX_BYTES} bytes`))
        incoming.destroy()
      })
      incoming.on('error', failed)
      incoming.on('end', () => {
        const nonce = incoming.headers['replay-nonce']
        if (typeof nonce === 'string') this.nonce = nonce
        const { location } = incoming.headers
        resolve({ status: incoming.statusCode!, location, text: received, json: parse(received) })
      })
    })
    outgoing.end(body)
    return promise
  }
}

function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** Of the authority's own certificate, as OpenSSL names them: nobody in its chain is trusted. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

function reasonOf({ message, code = '' }: NodeJS.ErrnoException): string {
  return UNTRUSTED.has(code)
    ? `its own certificate is signed by nobody that is known here (${code}); \`edge.acme.ca\` names a file with whom to trust`
    : message || code
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(String) : fail('no authorisations')

const text = (value: unknown, what: string): string =>
  typeof value === 'string' ? value : fail(`it gives no ${what}`)

const records = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : []

/** What the authority says went wrong: of the answer, or of the challenge in it. */
function problemText({ json, status }: Answer): string {
  const errors = [...records(json['challenges']).map(({ error }) => error), json['error'], json]
  const detail = records(errors).find((error) => error['detail'] !== undefined)?.['detail']
  return String(detail ?? `it answered ${status}`).slice(0, PROBLEM_MAX)
}

function fail(message: string): never {
  throw new EdgeError('acme-failed', message)
}
