/** DER (X.690), as much of it as a request for a certificate takes. */

export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const length: number[] = []
  for (let rest = body.length; rest > 0; rest >>= 8) length.unshift(rest & 255)
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length, ...length]), body])
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => der(0x30, ...items)
export const set = (...items: readonly Uint8Array[]): Buffer => der(0x31, ...items)
export const octets = (bytes: Uint8Array): Buffer => der(0x04, bytes)
export const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes)
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text, 'utf8'))
export const TRUE = der(0x01, Buffer.from([255]))

/** Not negative, and below 2^53 or as bytes whose first bit is 0. */
export const integer = (value: number | Uint8Array): Buffer =>
  der(0x02, typeof value === 'number' ? Buffer.from([value]) : value)

/** Context-specific, constructed or not. */
export const tagged = (tag: number, isConstructed: boolean, ...contents: readonly Uint8Array[]): Buffer =>
  der(0x80 | (isConstructed ? 0x20 : 0) | tag, ...contents)

/** `1.2.840.10045.4.3.2` */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const digits = [part & 127]
    for (let left = part >>> 7; left > 0; left >>>= 7) digits.unshift((left & 127) | 128)
    bytes.push(...digits)
  }
  return der(0x06, Buffer.from(bytes))
}

/** UTCTime, good until 2049. */
export function utcTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/\D/g, '')
  return der(0x17, Buffer.from(`${text.slice(2, 14)}Z`))
}
