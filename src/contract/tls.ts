/**
 * What workers need to speak TLS: made and watched by the supervisor, and replaced as a whole, so that no worker ever holds a
 * certificate with the key of another.
 */

/** A checked pair. The key is for workers alone: it stands in no log, metric or answer. */
export interface CertificateMaterial {
  /** SHA-256 of certificate and key: the same id, the same pair. */
  readonly id: string
  /** PEM: the certificate, then its intermediates. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  /** Lower case; `*.example.com` for one label. */
  readonly names: readonly string[]
}

/** How one listener speaks TLS. */
export interface TlsSettings {
  /** The oldest version that is spoken. */
  readonly minVersion: '1.2' | '1.3'
  /** Of TLS 1.2, in OpenSSL's words. */
  readonly ciphers: string | undefined
  /** Whether clients are asked for certificates, and whether they need one. */
  readonly clientAuth: 'request' | 'require' | undefined
  readonly http2: boolean
}

export interface ListenerMaterial extends TlsSettings {
  /** The first is for clients that name nobody we know. May be empty while ACME has none yet. */
  readonly certificates: readonly CertificateMaterial[]
  /** PEM of the authorities that sign clients' certificates. */
  readonly clientCa: string | undefined
}

/** What an ACME authority asks for while it checks a name: on whichever worker it comes in. */
export interface ChallengeMaterial {
  /** Key authorisation by token, for `/.well-known/acme-challenge/TOKEN`. */
  readonly http: ReadonlyMap<string, string>
  /** Certificate by name, for clients that speak `acme-tls/1`. */
  readonly tlsAlpn: ReadonlyMap<string, CertificateMaterial>
}

export interface TlsMaterial {
  /** By index in `config.edge.listen`; undefined for those without TLS. */
  readonly listeners: readonly (ListenerMaterial | undefined)[]
  /** Keys that seal session tickets, the newest first: 48 bytes, name, HMAC and AES. The others only open. */
  readonly ticketKeys: readonly Uint8Array[]
  readonly challenges: ChallengeMaterial
}

export const NO_CHALLENGES: ChallengeMaterial = { http: new Map(), tlsAlpn: new Map() }

/** What the handshake showed of a client's certificate: `edge.client.certificate` in units. */
export interface ClientCertificate {
  /** It was signed by one of the configured authorities, and is in force. */
  readonly verified: boolean
  /** Why it was not verified: OpenSSL's word, such as `CERT_HAS_EXPIRED`. */
  readonly problem?: string
  /** `CN=alice,O=Example`. */
  readonly subject: string
  readonly issuer: string
  /** As OpenSSL prints it: `DNS:a.example.com, email:alice@example.com`. Empty where there is none. */
  readonly altNames: string
  /** In hex. */
  readonly serial: string
  /** SHA-256, in hex. */
  readonly fingerprint: string
  /** ISO 8601. */
  readonly notBefore: string
  readonly notAfter: string
}
