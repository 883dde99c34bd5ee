/** Certificates that the node gets and renews by itself (ACME, RFC 8555). */
import * as v from 'valibot'

const DIRECTORY_EXPECTED = 'expected a URL such as "https://acme-v02.api.letsencrypt.org/directory"'
const NAME_EXPECTED =
  'expected a name such as "tv.example.com"; a wildcard cannot be checked over HTTP or TLS'

export const Acme = v.strictObject({
  /** Where the authority's directory is. */
  directory: v.optional(
    v.pipe(
      v.string(DIRECTORY_EXPECTED),
      v.check((text) => /^https?:\/\//.test(text) && URL.canParse(text), DIRECTORY_EXPECTED),
    ),
    'https://acme-v02.api.letsencrypt.org/directory',
  ),
  /** Names to get certificates for, one each; where none are given, the hosts of all sites that are plain names. */
  names: v.optional(
    v.array(
      v.pipe(v.string(NAME_EXPECTED), v.regex(/^[\w-]+(?:\.[\w-]+)*$/, NAME_EXPECTED), v.toLowerCase()),
    ),
  ),
  /** Addresses that the authority may write to. */
  contact: v.optional(
    v.array(
      v.pipe(v.string(), v.regex(/^[^@\s]+@[^@\s]+$/, 'expected an address such as "ops@example.com"')),
    ),
    [],
  ),
  /** How it is shown that the names are ours: `http-01` on port 80, or `tls-alpn-01` on port 443. */
  challenge: v.optional(
    v.picklist(['http-01', 'tls-alpn-01'], 'expected "http-01" or "tls-alpn-01"'),
    'http-01',
  ),
  /** An account of the authority's that this one is bound to. */
  externalAccount: v.optional(
    v.strictObject({
      /** Its key's identifier, as the authority gave it. */
      kid: v.string(),
      /** Its key in base64url, as the authority gave it. */
      hmacKey: v.pipe(v.string(), v.regex(/^[\w-]+={0,2}$/, 'expected a key in base64url')),
    }),
  ),
  /** Path of a PEM file with the authorities of the directory's own certificate, where they are neither public ones nor of the system. */
  ca: v.optional(v.string()),
})

/** Can an authority check this host of a site: a name with a dot in it, neither wildcard nor address? */
export const isCertifiable = (host: string): boolean =>
  /^[\w-]+(?:\.[\w-]+)+$/.test(host) && !/^[\d.]+$/.test(host)

export type AcmeConfig = v.InferOutput<typeof Acme>
