/**
 * Where clients connect, and how: a plain address, or an object with TLS and the rest.
 *
 * `"127.0.0.1:8080"` is short for `{ "address": "127.0.0.1:8080" }`.
 */
import * as v from 'valibot'
import { count, duration } from './units.ts'

const LISTEN_EXPECTED = 'expected "ADDRESS:PORT", such as "127.0.0.1:8080"'

export const Listen = v.pipe(
  v.string(LISTEN_EXPECTED),
  v.check((text) => {
    const port = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):(\d{1,5})$/.exec(text)?.[1]
    return port !== undefined && Number(port) < 65_536
  }, LISTEN_EXPECTED),
)

const PemPath = () => v.pipe(v.string('expected the path of a PEM file'), v.minLength(1, 'expected a path'))

const CertificatePair = v.strictObject({
  /** Path of a PEM file: the certificate, then those between it and its authority. */
  cert: PemPath(),
  /** Path of a PEM file with its private key. */
  key: PemPath(),
})

const Tls = v.pipe(
  v.strictObject({
    /**
     * Pairs of files. A client gets the one whose names (read from the certificate, `*.` for one label) fit the name it asks for; where none
     * does, or it asks for none, the first. May be left out where certificates come from `edge.acme` or
     * `orla certificates set`: these are chosen after the pairs here.
     */
    certificates: v.optional(
      v.array(CertificatePair, 'expected a list such as [{ "cert": "site.pem", "key": "site.key" }]'),
      [],
    ),
    /** The oldest version that is spoken. */
    minVersion: v.optional(v.picklist(['1.2', '1.3'], 'expected "1.2" or "1.3"'), '1.2'),
    /** Ciphers of TLS 1.2 in OpenSSL's words, instead of the modern ones. */
    ciphers: v.optional(v.string()),
    /** Certificates of clients. */
    clientAuth: v.optional(
      v.strictObject({
        /** Path of a PEM file with the authorities that sign them. */
        ca: PemPath(),
        /**
         * `require`: who brings none, or one that does not fit, gets no connection. `request`: it goes on, and units see in
         * `edge.client.certificate` whether it was verified.
         */
        mode: v.optional(v.picklist(['request', 'require'], 'expected "request" or "require"'), 'require'),
      }),
    ),
  }),
  v.check(
    ({ ciphers }) => ciphers === undefined || ciphers.trim() !== '',
    'expected ciphers, such as "ECDHE+AESGCM"',
  ),
)

const REDIRECT_EXPECTED = 'expected true, false, or an object such as { "port": 443, "status": 308 }'

/** Answers over HTTP with a redirect to HTTPS; false where it is off. */
export const RedirectHttps = v.pipe(
  v.union(
    [
      v.boolean(REDIRECT_EXPECTED),
      v.strictObject({
        /** Port of the HTTPS address: that of the first listener with `tls` unless given. */
        port: v.optional(count(65_535)),
        /** 308 keeps the method. */
        status: v.optional(v.picklist([301, 302, 307, 308], 'expected 301, 302, 307 or 308'), 308),
      }),
    ],
    REDIRECT_EXPECTED,
  ),
  v.transform((value) =>
    value === true ? ({ status: 308 } as { port?: number; status: 301 | 302 | 307 | 308 }) : value,
  ),
)

const HSTS_EXPECTED = 'expected an object such as { "maxAge": "365d" }'

/** `Strict-Transport-Security` on answers over HTTPS. */
export const Hsts = v.strictObject(
  {
    /** How long browsers keep to HTTPS. `"0s"` takes it back. */
    maxAge: duration(),
    /** All names below, too. */
    includeSubDomains: v.optional(v.boolean(), false),
    /** For the lists that browsers ship with. */
    preload: v.optional(v.boolean(), false),
  },
  HSTS_EXPECTED,
)

export const ListenObject = v.strictObject({
  /** Where clients connect: `ADDRESS:PORT`. */
  address: Listen,
  /** Speaks TLS on this address. */
  tls: v.optional(Tls),
  /** HTTP/2 beside HTTP/1.1, chosen by clients in the TLS handshake. */
  http2: v.optional(v.boolean(), true),
  /** HTTP/2 without TLS, by prior knowledge. For networks that are trusted. */
  h2c: v.optional(v.boolean(), false),
  /**
   * Connections begin with a header of the PROXY protocol (version 1 or 2) that says whose they are. Only those in
   * `edge.trustedProxies` may connect here.
   */
  proxyProtocol: v.optional(v.boolean(), false),
  /** Sends every request of this address to HTTPS. */
  redirectHttps: v.optional(RedirectHttps, false),
  /** `Strict-Transport-Security` on every answer of this address. */
  hsts: v.optional(Hsts),
})

export const ListenList = v.pipe(
  v.union(
    [
      Listen,
      ListenObject,
      v.pipe(
        v.array(v.union([Listen, ListenObject], `${LISTEN_EXPECTED}, or an object with \`address\``)),
        v.minLength(1, 'expected at least one address'),
      ),
    ],
    `${LISTEN_EXPECTED}, an object with \`address\`, or a list of them`,
  ),
  v.transform((value): readonly ListenerConfig[] =>
    (Array.isArray(value) ? value : [value]).map((one) =>
      typeof one === 'string' ? v.parse(ListenObject, { address: one }) : one,
    ),
  ),
)

export type ListenerConfig = v.InferOutput<typeof ListenObject>
export type HstsConfig = v.InferOutput<typeof Hsts>
export type RedirectConfig = Exclude<v.InferOutput<typeof RedirectHttps>, boolean>
