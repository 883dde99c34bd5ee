/** Serial numbers go round (RFC 1982 §3.2): one is newer that is less than half of the way ahead. Exactly half of it ahead is neither. */
export function isNewer(serial: number, than: number): boolean {
  const ahead = (serial - than) >>> 0
  return ahead !== 0 && ahead < 0x8000_0000
}
