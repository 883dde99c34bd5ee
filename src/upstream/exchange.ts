/**
 * A question on its way to another server: its bytes, and whoever waits for the answer.
 *
 * What comes back is believed only where it is a response with the same id and the same question (RFC 5452 §9.1). The case of letters in the
 * name counts where the question was sent with letters of a random case (draft-vixie-dnsext-dns0x20): then a forger has to guess that, too.
 */
import { randomFillSync } from 'node:crypto'
import { HEADER_BYTES, type DnsMessage } from '../wire/dns/message.ts'
import { writeMessage } from '../wire/dns/message-writer.ts'
import { RCODE } from '../wire/dns/codes.ts'
import type { UpstreamError } from './upstream-error.ts'

/** Questions are small: a name of 255 bytes, and options of EDNS. */
const QUESTION_BYTES_MAX = 4096

const scratch = Buffer.alloc(QUESTION_BYTES_MAX + 1024)

/** Numbers that nobody can guess, filled many at once: a call into the system for each would cost more than the question. */
const randomNumbers = new Uint16Array(512)
let randomAt = randomNumbers.length

/** From 0 to 65,535. */
export function random16(): number {
  if (randomAt === randomNumbers.length) {
    randomFillSync(randomNumbers)
    randomAt = 0
  }
  return randomNumbers[randomAt++]!
}

export class Exchange {
  /** With the id in front, written when a connection takes it. */
  readonly bytes: Buffer
  /** Where the question ends in them. */
  readonly questionEnd: number
  readonly isCaseRandom: boolean
  readonly answer: Promise<Buffer>
  id = -1
  /** Of the steady clock. */
  deadlineMs = 0
  /** Answers with our id that were not for us. */
  mismatches = 0
  isDone = false
  #resolve!: (answer: Buffer) => void
  #reject!: (error: UpstreamError) => void

  constructor(message: DnsMessage, isCaseRandom: boolean) {
    const length = writeMessage(message, scratch, QUESTION_BYTES_MAX)
    this.bytes = Buffer.from(scratch.subarray(0, length))
    this.questionEnd = HEADER_BYTES + message.question[0]!.name.wire.length + 4
    this.isCaseRandom = isCaseRandom
    if (isCaseRandom) this.#randomizeCase()
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** With an id that no other question of the connection has. */
  takeId(taken: ReadonlyMap<number, Exchange>): void {
    do this.id = random16()
    while (taken.has(this.id))
    this.bytes.writeUInt16BE(this.id, 0)
  }

  resolve(answer: Buffer): void {
    this.isDone = true
    this.#resolve(answer)
  }

  reject(error: UpstreamError): void {
    this.isDone = true
    this.#reject(error)
  }

  /** Whether it is the answer to this: id, QR, opcode and question. */
  isAnsweredBy(answer: Buffer): boolean {
    const { bytes, questionEnd } = this
    if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== this.id) return false
    // QR, and the opcode of the question.
    if ((answer[2]! & 0xf8) !== (0x80 | (bytes[2]! & 0x78))) return false
    const questions = answer.readUInt16BE(4)
    // Who could not read the question, or will not, need not say it again.
    if (questions === 0) return isErrorAlone(answer)
    if (questions !== 1 || answer.length < questionEnd) return false
    const nameEnd = questionEnd - 4
    for (let at = HEADER_BYTES; at < nameEnd; at++) {
      const ours = bytes[at]!
      const theirs = answer[at]!
      if (ours === theirs) continue
      if (this.isCaseRandom || (ours | 0x20) !== (theirs | 0x20) || !isLetter(ours)) return false
    }
    for (let at = nameEnd; at < questionEnd; at++) if (bytes[at] !== answer[at]) return false
    return true
  }

  #randomizeCase(): void {
    const { bytes } = this
    let random = 1
    for (let at = HEADER_BYTES; at < this.questionEnd - 4; at++) {
      if (random === 1) random = 0x1_0000 | random16()
      if (isLetter(bytes[at]!)) {
        bytes[at] = (bytes[at]! & 0xdf) | ((random & 1) << 5)
        random >>= 1
      }
    }
  }
}

const isErrorAlone = (answer: Buffer): boolean => {
  const rcode = answer[3]! & 0x0f
  return answer.length === HEADER_BYTES && rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN
}

const isLetter = (byte: number): boolean => {
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x7a
}
