/** The numbers of an SOA record (RFC 1035 §3.3.13). Times are seconds. */
export interface SoaTimes {
  readonly serial: number
  readonly refreshS: number
  readonly retryS: number
  readonly expireS: number
  readonly minimumS: number
}

const NUMBERS_BYTES = 20

/** From the data of an SOA with its names whole; undefined where that is none. */
export function soaTimes(rdata: Buffer): SoaTimes | undefined {
  const at = rdata.length - NUMBERS_BYTES
  // Two names stand in front, of one byte at least.
  if (at < 2) return undefined
  return {
    serial: rdata.readUInt32BE(at),
    refreshS: rdata.readUInt32BE(at + 4),
    retryS: rdata.readUInt32BE(at + 8),
    expireS: rdata.readUInt32BE(at + 12),
    minimumS: rdata.readUInt32BE(at + 16),
  }
}
