/**
 * Headers and cookies in a key: ` h:x-tenant=acme`, ` c:lang=de`.
 *
 * What is not there has no `=`; what is there and empty has nothing behind it. Values are percent-encoded, so no value holds what
 * separates parts, and long ones give way to their hash: behind a `#`, which encoding never writes.
 */
import { createHash } from 'node:crypto'
import { headerValues, type HeaderList } from '../../../wire/http1/message.ts'

/** What it adds to a key: begins with a space. */
export type KeyPart = (headers: HeaderList) => string

/** Characters of a value in a key at most. */
const VALUE_MAX = 256

/** Several lines of one name are one value (RFC 9110 §5.3). */
export function headerPart(name: string): KeyPart {
  return (headers) => {
    const value = headerValues(headers, name)
    return value === undefined ? ` h:${name}` : ` h:${name}=${bounded(encodeURIComponent(value))}`
  }
}

/**
 * A client may send a name twice, and which of the two an origin takes is its own affair: all of them are in the key, with commas
 * between. A name without `=` is told apart from one with an empty value by a semicolon.
 */
export function cookiePart(name: string): KeyPart {
  const label = ` c:${encodeURIComponent(name.toWellFormed())}`
  return (headers) => {
    let found: string | undefined
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== 'cookie') continue
      for (const pair of headers[i + 1]!.split(';')) {
        const end = pair.indexOf('=')
        if ((end < 0 ? pair : pair.slice(0, end)).trim() !== name) continue
        const value = end < 0 ? ';' : encodeURIComponent(pair.slice(end + 1))
        found = found === undefined ? value : `${found},${value}`
      }
    }
    return found === undefined ? label : `${label}=${bounded(found)}`
  }
}

const bounded = (text: string): string =>
  text.length <= VALUE_MAX ? text : `#${createHash('sha256').update(text).digest('base64url')}`
