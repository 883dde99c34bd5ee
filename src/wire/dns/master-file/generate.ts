/** `$GENERATE 1-254 host-$ A 192.0.2.$`: lines made of a range, as BIND has it. */
import { RdataError } from '../rdata/rdata-words.ts'

/** How many lines one of them makes at most: the names of a /16. */
const STEPS_MAX = 65_536
const WIDTH_MAX = 255

/** `${offset,width,base}` */
interface Place {
  readonly offset: number
  readonly width: number
  readonly base: string
}

/** Each line of the range. `words` are what follows the directive, as they were written. Throws an `RdataError`. */
export function* generated(words: readonly string[]): Generator<string> {
  const [range, ...parts] = words
  const found = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(range ?? '')
  const [start, stop, step] = [Number(found?.[1]), Number(found?.[2]), Number(found?.[3] ?? 1)]
  if (!found || stop < start || step < 1 || stop >= 2 ** 31)
    throw new RdataError(`$GENERATE has the range "${range ?? ''}": expected one such as 1-254 or 0-100/2`, 1)
  if ((stop - start) / step >= STEPS_MAX)
    throw new RdataError(
      `$GENERATE makes ${Math.floor((stop - start) / step) + 1} lines: expected at most ${STEPS_MAX}`,
      1,
    )
  if (parts.length < 3)
    throw new RdataError('$GENERATE is cut: expected a range, an owner, a type and data', words.length + 1)
  const templates = parts.map((part, index) => templateOf(part, index + 2))
  for (let value = start; value <= stop; value += step)
    yield templates.map((template) => template.map((piece) => filled(piece, value)).join('')).join(' ')
}

type Piece = string | Place

function templateOf(text: string, word: number): Piece[] {
  const pieces: Piece[] = []
  let plain = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (character === '\\' && at + 1 < text.length) {
      // `\$` is the character itself; any other escape is left to whoever reads the line.
      plain += text[at + 1] === '$' ? '$' : `\\${text[at + 1]!}`
      at += 1
    } else if (character !== '$') plain += character
    else if (text[at + 1] === '$') {
      plain += '$'
      at += 1
    } else {
      pieces.push(plain)
      plain = ''
      const end = text[at + 1] === '{' ? text.indexOf('}', at) : at
      if (end < 0) throw new RdataError(`"${text}" has a "\${" that is not closed`, word)
      pieces.push(placeOf(text.slice(at + 2, end), end === at, word))
      at = end
    }
  }
  return [...pieces, plain]
}

function placeOf(text: string, isBare: boolean, word: number): Place {
  if (isBare) return { offset: 0, width: 0, base: 'd' }
  const found = /^([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?$/.exec(text)
  const width = Number(found?.[2] ?? 0)
  if (!found || width > WIDTH_MAX)
    throw new RdataError(
      `"\${${text}}" is no number with offset, width and base: expected one such as \${10,3,d}, with a base of d, o, x, X, n or N`,
      word,
    )
  return { offset: Number(found[1]), width, base: found[3] ?? 'd' }
}

function filled(piece: Piece, value: number): string {
  if (typeof piece === 'string') return piece
  const { width, base } = piece
  const number = value + piece.offset
  if (number < 0)
    throw new RdataError(`$GENERATE makes ${number}: expected an offset that leaves it at 0 or above`, 1)
  if (base === 'd') return String(number).padStart(width, '0')
  if (base === 'o') return number.toString(8).padStart(width, '0')
  const hex = number.toString(16)
  if (base === 'x') return hex.padStart(width, '0')
  if (base === 'X') return hex.toUpperCase().padStart(width, '0')
  // Nibbles from the lowest up with dots between them, as ip6.arpa has them: the width counts the dots.
  const nibbles = (base === 'N' ? hex.toUpperCase() : hex).padStart(Math.ceil(width / 2), '0')
  return [...nibbles].toReversed().join('.')
}
