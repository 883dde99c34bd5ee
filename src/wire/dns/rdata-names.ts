/**
 * Where names stand in the data of records: they may be compressed in a message, and are whole in memory.
 *
 * Only types of RFC 1035 may be written with compression; of some later ones it is undone all the same where somebody wrote it (RFC 3597 §4).
 */
import { TYPE } from './codes.ts'

/** Fixed bytes in front, then names one after another; what follows them is taken as it is. */
export interface NamesInside {
  readonly before: number
  readonly names: number
  readonly mayCompress: boolean
}

const inside = (before: number, names: number, mayCompress: boolean): NamesInside => ({
  before,
  names,
  mayCompress,
})

const OLD = inside(0, 1, true)

/** By type. NAPTR is not here: strings of any length stand before its name, which nobody compresses. */
export const NAMES_INSIDE: readonly (NamesInside | undefined)[] = (() => {
  const table: (NamesInside | undefined)[] = Array.from({ length: 64 })
  for (const type of [TYPE.NS, TYPE.MD, TYPE.MF, TYPE.CNAME, TYPE.MB, TYPE.MG, TYPE.MR, TYPE.PTR])
    table[type] = OLD
  table[TYPE.SOA] = inside(0, 2, true)
  table[TYPE.MINFO] = inside(0, 2, true)
  table[TYPE.MX] = inside(2, 1, true)
  table[TYPE.RP] = inside(0, 2, false)
  table[TYPE.AFSDB] = inside(2, 1, false)
  table[TYPE.RT] = inside(2, 1, false)
  table[TYPE.PX] = inside(2, 2, false)
  table[TYPE.SRV] = inside(6, 1, false)
  table[TYPE.KX] = inside(2, 1, false)
  table[TYPE.DNAME] = inside(0, 1, false)
  return table
})()
