/** Reads the JSON body of a request into a checked value, or says what is wrong with it, all of it at once. */
import * as v from 'valibot'
import { EdgeError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import { Refused } from './node.ts'

/** Room for a unit with the packages it imports, before they are bundled to 1 MB at most. */
export const BODY_BYTES_MAX = 16 * 1024 ** 2

export async function readBody<S extends v.GenericSchema>(
  request: Request,
  shape: S,
): Promise<v.InferOutput<S>> {
  const text = await readText(request)
  if (text !== '') refuseOtherTypes(request.headers)
  const checked = v.safeParse(shape, text === '' ? {} : parseJson(text))
  if (checked.success) return checked.output
  const problems = checked.issues.map((issue) => ({ message: sentence(issue, shape) }))
  throw new Refused(problems.map(({ message }) => message).join('; '), problems, 'request-invalid')
}

async function readText(request: Request): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(request))
  } catch (error) {
    if (error instanceof EdgeError) throw error
    throw new EdgeError('request-invalid', 'the body is not UTF-8')
  }
}

/** The body as it came. */
export async function readBytes(request: Request): Promise<Buffer> {
  const announced = Number(request.headers.get('content-length') ?? 0)
  if (announced > BODY_BYTES_MAX) throw tooLarge()
  let bytes = 0
  const chunks: Uint8Array[] = []
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > BODY_BYTES_MAX) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * JSON, said to be so: what a page of another site can make a browser send without asking is none of it. What `curl --data` says where it is
 * told nothing is taken from clients that are no browser, which always tells where it comes from.
 */
function refuseOtherTypes(headers: Headers): void {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type === undefined || type === 'application/json') return
  const isBrowser = headers.has('origin') || headers.has('sec-fetch-site') || headers.has('sec-fetch-mode')
  if (type === 'application/x-www-form-urlencoded' && !isBrowser) return
  throw new EdgeError('media-type', `the body is JSON, not \`${type.slice(0, 80)}\``)
}

const tooLarge = () => new EdgeError('request-too-large', `the body is larger than ${BODY_BYTES_MAX} bytes`)

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new EdgeError('request-invalid', `the body is not JSON: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function sentence(issue: v.BaseIssue<unknown>, shape: v.GenericSchema): string {
  const path = v.getDotPath(issue)
  if (issue.type === 'strict_object') {
    if (issue.expected !== 'never') return `\`${path ?? 'body'}\` is missing`
    const meant = path === null ? undefined : nearest(path, fieldsOf(shape))
    return `\`${path}\` is not known here${meant === undefined ? '' : `; did you mean \`${meant}\`?`}`
  }
  return path === null ? `the body: ${issue.message}` : `\`${path}\`: ${issue.message}`
}

/** The fields that the body itself may have. None where it is no object. */
const fieldsOf = (shape: v.GenericSchema): readonly string[] =>
  'entries' in shape ? Object.keys(shape.entries as object) : []
