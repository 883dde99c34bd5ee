/**
 * What was thrown, as text: for records, logs, and the answer of `install`.
 *
 * Anything can be thrown, and reading it may run the unit's code (getters, proxies, `prepareStackTrace`); so each part is
 * read once, guarded, and made a primitive string here.
 */
import { slice, startsWith, stringifyJson } from './primordials.ts'

/** Characters of a message or stack that cross. */
const TEXT_MAX = 8192

const isErrorIntrinsic = (Error as unknown as { isError(value: unknown): boolean }).isError

export const isError = (value: unknown): value is Error => isErrorIntrinsic(value)

function part(read: () => unknown, otherwise: string): string {
  try {
    const text = read()
    if (typeof text !== 'string') return otherwise
    return text.length > TEXT_MAX ? slice(text, 0, TEXT_MAX) : text
  } catch {
    return otherwise
  }
}

export interface ErrorParts {
  readonly name: string
  readonly message: string
  /** Frames with the unit's file, or empty for what is no Error. */
  readonly stack: string
}

export function errorParts(thrown: unknown): ErrorParts {
  if ((typeof thrown === 'object' && thrown !== null) || typeof thrown === 'function') {
    const like = thrown as Partial<Error>
    return {
      name: part(() => like.name, 'Error'),
      message: part(() => like.message ?? `${thrown as unknown as string}`, 'an object was thrown'),
      stack: part(() => like.stack, ''),
    }
  }
  return { name: 'Error', message: part(() => String(thrown), 'a value was thrown'), stack: '' }
}

/** JSON `{name, message, stack}`, the HEAD of a record with outcome 2. */
export function errorJson(thrown: unknown): string {
  const { name, message, stack } = errorParts(thrown)
  return `{"name":${stringifyJson(name)},"message":${stringifyJson(message)},"stack":${stringifyJson(stack)}}`
}

/** The stack, which starts with name and message as a rule. */
export function errorText(thrown: unknown): string {
  const { name, message, stack } = errorParts(thrown)
  const title = message === '' ? name : `${name}: ${message}`
  if (stack === '') return title
  return startsWith(stack, name) ? stack : `${title}\n${stack}`
}
