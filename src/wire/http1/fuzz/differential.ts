/**
 * The rounds of the differential fuzz: make a stream, read it with both parsers, compare.
 *
 * Three claims are tried. Sound messages are read as they were meant (we are not merely refusing). What we accept, llhttp accepts and reads the
 * same. And how the bytes are split makes no difference to us.
 */
import { damage, type Made } from './generator.ts'
import { LLHTTP_METHODS, readWithLlhttp } from './llhttp.ts'
import { readWithOurs } from './ours.ts'
import { seededRandom, type Random } from './random.ts'
import { disagreement, type Reading } from './reading.ts'

export interface Finding {
  /** Repeats the round: `fuzz(…, { seed, rounds: 1 })`. */
  readonly seed: number
  readonly what: string
  readonly text: string
}

export interface Outcome {
  readonly rounds: number
  /** Messages that both accepted: a fuzz that is refused everything proves nothing. */
  readonly accepted: number
  readonly refused: number
  readonly findings: readonly Finding[]
}

export interface FuzzOptions {
  readonly seed: number
  readonly rounds: number
}

const FINDINGS_MAX = 20

export function fuzz(
  kind: 'request' | 'response',
  make: (random: Random) => Made,
  { seed, rounds }: FuzzOptions,
): Outcome {
  const findings: Finding[] = []
  let accepted = 0
  let refused = 0
  let round = 0
  for (; round < rounds && findings.length < FINDINGS_MAX; round++) {
    const roundSeed = (seed + round) >>> 0
    const random = seededRandom(roundSeed)
    const asked = kind === 'response' && random.chance(0.1) ? 'HEAD' : 'GET'
    const made = Array.from({ length: 1 + random.below(3) }, () => make(random))
    const sound = made.map(({ text }) => text).join('')
    const isDamaged = random.chance(0.85)
    const text = isDamaged ? damage(random, sound) : sound
    const pieces = split(random, Buffer.from(text, 'latin1'))

    const ours = readWithOurs(kind, [Buffer.from(text, 'latin1')], asked)
    const report = (what: string): void => void findings.push({ seed: roundSeed, what, text })
    const splitReading = readWithOurs(kind, pieces, asked)
    if (JSON.stringify(splitReading.messages) !== JSON.stringify(ours.messages))
      report('read differently when split')
    if (!isDamaged && asked !== 'HEAD') {
      const wrong = misreading(ours, made)
      if (wrong !== undefined) report(wrong)
    }
    if (kind === 'request') cutAtUnknownMethod(ours)
    const difference = disagreement(ours, readWithLlhttp(kind, [Buffer.from(text, 'latin1')], asked))
    if (difference !== undefined) report(difference)
    accepted += ours.messages.length
    if (ours.stopped !== undefined && ours.stopped !== 'close') refused++
  }
  return { rounds: round, accepted, refused, findings }
}

function split(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  const most = random.pick([1, 3, 10, 100])
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + random.below(most))
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

/** Did we read sound messages as they were meant? */
function misreading(ours: Reading, made: readonly Made[]): string | undefined {
  for (const [index, { meant }] of made.entries()) {
    const message = ours.messages[index]
    if (message === undefined) return `sound message ${index} refused: ${ours.stopped ?? 'incomplete'}`
    const isAbsolute = meant.start.includes(' http://')
    if (!isAbsolute && message.start !== meant.start)
      return `sound message ${index}: ${message.start} for ${meant.start}`
    if (!isAbsolute && message.headers.join('\n') !== meant.headers.join('\n'))
      return `sound message ${index}: headers`
    if (!message.isComplete || message.body !== meant.body) return `sound message ${index}: body`
    if (!message.keepAlive) return undefined
  }
  return ours.messages.length === made.length ? undefined : 'more messages than were made'
}

/** llhttp knows a fixed set of methods; beyond one that it does not know there is nothing to compare. */
function cutAtUnknownMethod(reading: Reading): void {
  const at = reading.messages.findIndex(
    ({ start }) => !LLHTTP_METHODS.has(start.slice(0, start.indexOf(' '))),
  )
  if (at === -1) return
  reading.messages.splice(at)
  reading.stopped = 'a method unknown to llhttp'
}
