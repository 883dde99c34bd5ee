/**
 * Files in a folder, in the place of an origin: what cache, units and compression do with an origin's answer they do with these.
 *
 * Each answer is made of what the file is at that moment; nothing is remembered. Who wants files in memory gives the site a `cache`.
 */
import { closeSync } from 'node:fs'
import type { Clock } from '../../base/clock.ts'
import type { StaticConfig } from '../../config/static-schema.ts'
import type { Origin, OriginHandler, OriginRequest, SentCall } from '../../contract/origin.ts'
import { headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { edgeErrorText } from '../edge-answers.ts'
import { parseRanges } from '../ranges/byte-ranges.ts'
import { partedAnswer } from '../ranges/multipart.ts'
import { isRangeCurrent } from '../ranges/range-conditions.ts'
import { judgeConditions, type FileValidators } from './conditions.ts'
import { acceptedEncodings, SIBLINGS, type Encoding } from './encodings.ts'
import { FileCall, type FileAnswer } from './file-call.ts'
import { encodePath, filePath } from './file-path.ts'
import { mediaType } from './media-types.ts'
import { RootFolder, type OpenFile, type Opened } from './root-folder.ts'

export function createFilesOrigin(config: StaticConfig, { clock }: { readonly clock: Clock }): Origin {
  return new FilesOrigin(config, clock)
}

class FilesOrigin implements Origin {
  readonly endpoints: readonly string[] = []
  private readonly config: StaticConfig
  private readonly clock: Clock
  private readonly folder: RootFolder
  /** Of every file. */
  private readonly fields: HeaderList

  constructor(config: StaticConfig, clock: Clock) {
    this.config = config
    this.clock = clock
    this.folder = new RootFolder(config.root)
    const { cacheControl, headers, precompressed } = config
    this.fields = [
      ...(cacheControl === undefined ? [] : ['cache-control', cacheControl]),
      ...Object.entries(headers).flat(),
      ...(precompressed.length === 0 ? [] : ['vary', 'Accept-Encoding']),
    ]
  }

  send(request: OriginRequest, handler: OriginHandler): SentCall {
    const call = new FileCall(handler)
    const sentAt = this.clock.monotonic()
    // The caller must have its call in hand before it hears of it.
    process.nextTick(() => {
      if (call.isAborted) return
      const answer = this.answer(request)
      call.responseMs = this.clock.monotonic() - sentAt
      call.start(answer, request.method !== 'HEAD' && answer.status !== 304 && answer.status !== 204)
    })
    return call
  }

  private answer({ method, target, headers }: OriginRequest): FileAnswer {
    if (method === 'OPTIONS') return { status: 204, headers: ['allow', ALLOW], segments: [], file: undefined }
    if (method !== 'GET' && method !== 'HEAD')
      return inWords(405, `${method} is not for files`, ['allow', ALLOW])
    const mark = target.indexOf('?')
    const found = filePath(mark < 0 ? target : target.slice(0, mark))
    if (found.kind === 'refused') return inWords(found.status, found.reason)
    const { path } = found
    const opened = this.folder.open(path)
    if (opened.kind === 'refused') return inWords(opened.status, opened.reason)
    if (opened.kind === 'file') return this.describe(path, opened, method, headers)
    if (path.endsWith('/')) return this.indexOf(path, method, headers)
    const location = `${encodePath(path)}/${mark < 0 ? '' : target.slice(mark)}`
    return inWords(301, `it is a folder: ${location}`, ['location', location])
  }

  private indexOf(folder: string, method: string, headers: HeaderList): FileAnswer {
    for (const name of this.config.index) {
      const path = folder + Buffer.from(name).toString('latin1')
      const opened = this.folder.open(path)
      if (opened.kind === 'file') return this.describe(path, opened, method, headers)
      if (opened.kind === 'refused' && opened.status !== 404) return inWords(opened.status, opened.reason)
    }
    return inWords(403, 'the folder has no index, and it is not listed')
  }

  /** The answer for a file that is there. Who gets it closes the file. */
  private describe(path: string, plain: OpenFile, method: string, headers: HeaderList): FileAnswer {
    const sibling = this.sibling(path, headers)
    if (sibling !== undefined) closeSync(plain.descriptor)
    const file = sibling?.file ?? plain
    const nowMs = this.clock.now()
    const validators = validatorsOf(file, sibling?.encoding, nowMs)
    const own = [...this.fields, 'etag', validators.etag, 'last-modified', validators.lastModified]
    const verdict = judgeConditions(headers, validators, nowMs)
    if (verdict !== 'go') {
      closeSync(file.descriptor)
      if (verdict === 412) return inWords(412, 'the file is another one by now', own)
      return { status: 304, headers: own, segments: [], file: undefined }
    }
    const type = mediaType(path, this.config.types)
    const whole = [...own, 'accept-ranges', 'bytes']
    if (sibling !== undefined) whole.push('content-encoding', sibling.encoding)
    const { size } = file.stats
    // §14.2: a range is for GET alone.
    const asked =
      method === 'GET' && isRangeCurrent(headers, validators) ? headerValues(headers, 'range') : undefined
    const { status, headers: partHeaders, segments } = partedAnswer(parseRanges(asked, size), size, type)
    if (status === 416) {
      closeSync(file.descriptor)
      return inWords(416, `the file has ${size} bytes`, partHeaders)
    }
    return { status, headers: [...whole, ...partHeaders], segments, file }
  }

  private sibling(path: string, headers: HeaderList): { file: OpenFile; encoding: Encoding } | undefined {
    const { precompressed } = this.config
    if (precompressed.length === 0) return undefined
    for (const encoding of acceptedEncodings(headerValues(headers, 'accept-encoding'), precompressed)) {
      const opened: Opened = this.folder.open(path + SIBLINGS[encoding])
      if (opened.kind === 'file') return { file: opened, encoding }
    }
    return undefined
  }

  state(): ReturnType<Origin['state']> {
    return { balance: 'static', endpoints: [], unresolved: [] }
  }

  samples(): [] {
    return []
  }

  close(): void {}
}

const ALLOW = 'GET, HEAD, OPTIONS'

/** Two files of one size and one time have one tag on every node. An encoding is another representation, so it has another. */
function validatorsOf({ stats }: OpenFile, encoding: Encoding | undefined, nowMs: number): FileValidators {
  const { size, mtimeMs } = stats
  // File systems tell times to a microsecond and better: nothing changes twice in one without its size telling.
  const etag = `"${Math.floor(mtimeMs * 1000).toString(36)}-${size.toString(36)}${encoding === undefined ? '' : `-${encoding}`}"`
  return {
    etag,
    // RFC 9110 §8.8.2.1: never later than now.
    lastModified: new Date(Math.min(mtimeMs, nowMs)).toUTCString(),
  }
}

/** An answer that is not a file. Nobody keeps it. */
function inWords(status: number, reason: string, headers: HeaderList = []): FileAnswer {
  const own = headers.filter((_, i) => headers[i - (i % 2)] !== 'cache-control')
  return {
    status,
    headers: ['content-type', 'text/plain; charset=utf-8', 'cache-control', 'no-store', ...own],
    segments: [edgeErrorText(status, reason)],
    file: undefined,
  }
}
