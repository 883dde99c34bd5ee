/** A file of weights: a name on a line of its own, then its addresses, each with a weight from 1 to 255. */
import { readFileSync, statSync } from 'node:fs'
import { addressRdata } from '../../../wire/dns/common-rdata.ts'
import { DnsName, DnsNameError } from '../../../wire/dns/name.ts'

/** By key of the name, then by the data of the record as Latin-1. */
export type Weights = ReadonlyMap<string, ReadonlyMap<string, number>>

const FILE_BYTES_MAX = 16 << 20

/** The weights, or a sentence that says what is wrong with which line. */
export function parseWeights(text: string): Weights | string {
  const weights = new Map<string, Map<string, number>>()
  let current: Map<string, number> | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const [first, weight, extra] = line.split('#')[0]!.trim().split(/\s+/)
    if (!first) continue
    const where = `line ${index + 1}`
    if (weight === undefined) {
      try {
        const { key } = DnsName.parse(first)
        if (weights.has(key)) return `${where}: ${first} stands twice`
        weights.set(key, (current = new Map()))
      } catch (error) {
        if (!(error instanceof DnsNameError)) throw error
        return `${where}: ${error.message}`
      }
      continue
    }
    const rdata = addressRdata(first)
    if (!rdata || extra !== undefined)
      return `${where}: expected an address and its weight, such as: 192.0.2.1 3`
    if (!/^\d{1,3}$/.test(weight) || Number(weight) < 1 || Number(weight) > 255)
      return `${where}: the weight ${weight} is none: expected 1 to 255`
    if (!current) return `${where}: an address stands in front of the first name`
    current.set(rdata.toString('latin1'), Number(weight))
  }
  return weights
}

export class WeightFile {
  readonly #path: string
  #seen = ''

  constructor(path: string) {
    this.#path = path
  }

  /** Undefined where it is as it was; a sentence where it cannot be used. */
  read(): Weights | string | undefined {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path)
      const seen = `${mtimeMs} ${size} ${ino}`
      if (seen === this.#seen) return undefined
      if (size > FILE_BYTES_MAX) return `${this.#path} is too large: ${size} bytes`
      const weights = parseWeights(readFileSync(this.#path, 'utf8'))
      this.#seen = seen
      return typeof weights === 'string' ? `${this.#path}: ${weights}` : weights
    } catch (error) {
      return `${this.#path} cannot be read: ${(error as Error).message}`
    }
  }
}
