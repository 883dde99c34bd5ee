/** Times as Go writes them, and so every Corefile: `1h30m`, `1.5s`, `300ms`, `-5s`, and a lone `0`. */

const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** Milliseconds; undefined where the text is no such time. It may be less than zero: whoever asks says whether that is right. */
export function parseGoDuration(text: string): number | undefined {
  const [, sign = '', amounts = ''] = /^([+-]?)(.*)$/s.exec(text) ?? []
  if (amounts === '0') return 0
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(amounts)) return undefined
  let ms = 0
  for (const [, amount, unit] of amounts.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    ms += Number(amount) * UNITS_MS.get(unit!)!
  return sign === '-' ? -ms : ms
}
