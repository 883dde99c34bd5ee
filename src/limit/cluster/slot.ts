/** Slots of a Cluster: which of its 16,384 parts a key belongs to. The part in braces alone counts, where there is one; all of our keys have one. */

export const SLOTS = 16_384

/** CRC-16/XMODEM, a byte at a time. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

/** Of the text between the braces, which is ASCII. */
export function slotOf(tag: string): number {
  let crc = 0
  for (let at = 0; at < tag.length; at++)
    crc = ((crc << 8) & 0xffff) ^ TABLE[((crc >> 8) ^ tag.charCodeAt(at)) & 0xff]!
  return crc & (SLOTS - 1)
}
