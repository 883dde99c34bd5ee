/**
 * How often a sketch is wrong about a key that is not over its limit.
 *
 * Such a key is refused where each of its cells is also one of a key that is over the limit. A row of `width` cells that so many offenders have fallen into
 * has about e^(−offenders/width) of them left untouched, so one cell is hit with a probability of 1 − e^(−offenders/width), and all of `depth` rows at once with
 *
 *     (1 − e^(−offenders/width))^depth
 *
 * Keys that are not over the limit raise cells, too, but to no more than what they are given: in a window in which N of them come, a new key starts at
 * about N/width, and less with conservative updates.
 */
import { told, whole } from './algorithms/plan.ts'
import { layoutOf, type LimiterPlan } from './region.ts'

export interface SketchSize {
  readonly width: number
  readonly depth: number
}

/** The probability that a key which is new to the sketch is wrongly refused, beside `offenders` keys that are over the limit at once. @throws RangeError */
export function wrongRefusals(size: SketchSize, offenders: number): number {
  checkSize(size)
  whole('offenders', offenders, 0, Number.MAX_SAFE_INTEGER)
  return (1 - Math.exp(-offenders / size.width)) ** size.depth
}

/** How many keys may be over the limit at once, until a key that is not is wrongly refused with this probability. @throws RangeError */
export function offendersAt(size: SketchSize, chance: number): number {
  checkSize(size)
  if (!(typeof chance === 'number' && chance > 0 && chance < 1))
    throw new RangeError(`chance: expected a number between 0 and 1, not ${told(chance)}`)
  return Math.floor(-size.width * Math.log(1 - chance ** (1 / size.depth)))
}

function checkSize({ width, depth }: SketchSize): void {
  whole('width', width, 1, Number.MAX_SAFE_INTEGER)
  whole('depth', depth, 1, Number.MAX_SAFE_INTEGER)
}

const OFFENDERS = 10_000
/** One in ten thousand. */
const CHANCE = 0.0001

/** What an operator has to know of the memory of a limit, in a line: for the log at the start. */
export function statedError(plan: LimiterPlan): string {
  const { sketchShape, sketches, words, table } = layoutOf(plan)
  const { depth } = sketchShape
  const width = table?.memory.width ?? sketchShape.width
  const memory = `${((words * 4) / 2 ** 20).toFixed(1)} MiB`
  const cells = `${counted(width)} × ${depth} cells`
  const stated = `wrongly refused with a probability of ${percent(wrongRefusals({ width, depth }, OFFENDERS))} beside ${counted(OFFENDERS)}`
  const over = `and of ${percent(CHANCE)} beside ${counted(offendersAt({ width, depth }, CHANCE))}`
  if (table !== undefined)
    return `a table for ${counted(plan.keysMax)} keys, and ${cells} of what evicted ones had used, ${memory}: a key with a place is counted exactly; one that comes in is ${stated} that were evicted with nothing left, ${over}`
  const many = sketches.length > 1 ? `${sketches.length} sketches, each of ` : 'a sketch of '
  return `${many}${cells} of ${sketchShape.cellBits} bits, ${memory}: a key that is not over its limit is ${stated} that are, ${over}`
}

const counted = (count: number): string => count.toLocaleString('en')

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`
