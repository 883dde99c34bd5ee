/** The body of a unit's answer out of its record, in whichever shape it crossed (see `protocol.ts`). */
import { BODY_BASE64, BODY_BYTES, BODY_PATCH, PIECE_MARK } from './protocol.ts'

export interface AnswerBody {
  /** Text is to be sent as UTF-8. */
  readonly body: string | Uint8Array
  /** So many bytes at either end of the piece that was asked about are as they were. */
  readonly kept?: { readonly prefix: number; readonly suffix: number }
}

/** `asked` is the length of the body that went in. Undefined where it is not in form. */
export function answerBody(kind: number, text: string, asked: number): AnswerBody | undefined {
  switch (kind) {
    case BODY_BYTES:
      return { body: Buffer.from(text, 'latin1') }
    case BODY_BASE64:
      return { body: Buffer.from(text, 'base64') }
    case BODY_PATCH: {
      const [line, prefix, suffix] = /^(\d{1,9}) (\d{1,9})\n/.exec(text.slice(0, 24)) ?? []
      if (line === undefined) return undefined
      const kept = { prefix: Number(prefix), suffix: Number(suffix) }
      return kept.prefix + kept.suffix <= asked - PIECE_MARK
        ? { body: text.slice(line.length), kept }
        : undefined
    }
    default:
      return { body: text }
  }
}
