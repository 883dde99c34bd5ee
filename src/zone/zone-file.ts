/** Reads a zone out of a master file (RFC 1035 §5), all at once: what it throws says where what is wrong. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CLASS, className, TYPE } from '../wire/dns/codes.ts'
import { type OnRecord, parseMasterFile } from '../wire/dns/master-file.ts'
import { DnsName } from '../wire/dns/name.ts'
import { soaTimes } from './soa.ts'
import { ZoneBuilder } from './zone-builder.ts'
import type { ZoneData } from './zone-data.ts'
import { ZoneError } from './zone-error.ts'

export interface ZoneFileRequest {
  readonly path: string
  /** In wire form. */
  readonly origin: string
  /** A file with this serial is not read on. */
  readonly knownSerial?: number | undefined
}

/** With the files that were read besides. */
export type ZoneFileResult =
  | { readonly kind: 'zone'; readonly data: ZoneData; readonly included: readonly string[] }
  | { readonly kind: 'same-serial'; readonly included: readonly string[] }

/** Thrown out of the parser where there is nothing more to know. */
class SameSerial extends Error {}

export function readZoneFile({ path, origin, knownSerial }: ZoneFileRequest): ZoneFileResult {
  const name = new DnsName(origin)
  const builder = new ZoneBuilder(name)
  let isSoaSeen = false
  const included: string[] = []
  const include = (named: string, from: string) => {
    const file = resolve(dirname(from), named)
    included.push(file)
    return { bytes: readFileSync(file), file }
  }
  const onRecord: OnRecord = (owner, type, ttl, rdata, klass) => {
    if (klass !== CLASS.IN) throw new ZoneError(`the record has class ${className(klass)}: expected IN`)
    if (type === TYPE.SOA && !isSoaSeen) {
      isSoaSeen = true
      if (knownSerial !== undefined && soaTimes(rdata)?.serial === knownSerial) throw new SameSerial()
    }
    builder.add(owner, type, ttl, rdata)
  }
  try {
    parseMasterFile(readFileSync(path), { origin: name, file: path, include }, onRecord)
  } catch (error) {
    if (error instanceof SameSerial) return { kind: 'same-serial', included }
    throw error
  }
  return { kind: 'zone', data: builder.finish(), included }
}
