/** Where values of a chart come to lie, and which of them are written at its sides. */
import type { Bound } from './sizes.ts'

export interface Axis {
  at(value: number): number
  readonly ticks: readonly number[]
}

/** From the least value at `from` to the greatest at `to`; a single value lies in the middle. */
export function axisOf(values: readonly number[], from: number, to: number): Axis {
  const low = Math.min(...values)
  const high = Math.max(...values)
  const at = (value: number) =>
    high === low ? (from + to) / 2 : from + ((value - low) / (high - low)) * (to - from)
  return { at, ticks: evenTicks(low, high) }
}

/** Around six round numbers. */
function evenTicks(low: number, high: number): readonly number[] {
  const step = [1, 2, 5, 10, 20, 25, 50].find((step) => (high - low) / step <= 9) ?? 100
  const first = Math.ceil(low / step) * step
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step)
}

/** Round numbers that lie evenly on a logarithmic scale: 1, 2, 5, 10… entries; powers of two of bytes. */
export function logTicks(low: number, high: number, by: Bound): readonly number[] {
  const all = by === 'bytes' ? powersOf(2, [1]) : powersOf(10, [1, 2, 5])
  const inside = all.filter((value) => value >= low * 0.999 && value <= high * 1.001)
  // Nine fit beside each other.
  const every = Math.ceil(inside.length / 9)
  return inside.length === 0 ? [low] : inside.filter((_, i) => i % every === 0)
}

const powersOf = (base: number, steps: readonly number[]): readonly number[] =>
  Array.from({ length: Math.ceil(15 / Math.log10(base)) }, (_, power) =>
    steps.map((step) => step * base ** power),
  ).flat()
