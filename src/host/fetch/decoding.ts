/** What a server packed for the way is unpacked for the unit, whole or as it comes. */
import { EdgeError } from '../../base/errors.ts'
import { decoderOf } from '../../http/body/codings.ts'
import { headerValues, type HeaderList } from '../../wire/http1/message.ts'

/** What is asked for where the unit does not say. */
export const ACCEPT_ENCODING = 'gzip, br'

/** The one coding of a body that can be undone here. */
export function codingOf(headers: HeaderList): string | undefined {
  const name = headerValues(headers, 'content-encoding')
  return name !== undefined && decoderOf(name) !== undefined ? name : undefined
}

/** Undefined where it would be longer than `bytesMax`. */
export async function decodeWhole(
  bytes: Buffer,
  coding: string,
  bytesMax: number,
): Promise<Buffer | undefined> {
  try {
    return await decoderOf(coding)!.whole(bytes, { maxOutputLength: bytesMax })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined
    throw badCoding(coding, error)
  }
}

export const badCoding = (coding: string, cause: unknown): EdgeError =>
  new EdgeError('origin-garbage', `its body is not ${coding}, as it says`, { cause })
