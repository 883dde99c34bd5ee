/**
 * Loads zones from files without keeping questions waiting: what is small is read here and now, what is large by a thread, whose columns and chunks are
 * handed over without a copy.
 */
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Turns } from './turns.ts'
import { ZoneError } from './zone-error.ts'
import { readZoneFile, type ZoneFileRequest, type ZoneFileResult } from './zone-file.ts'

export type FromLoadThread = ZoneFileResult | { readonly kind: 'error'; readonly text: string }

/** Read in some ten milliseconds; a thread takes longer than that to begin. */
const SMALL_BYTES = 256 * 1024
/** A thread takes a processor, and memory for what it reads. */
const turns = new Turns(2)

/** `bytes`: how large the file is. Rejects with what is wrong and where. */
export async function loadZoneFile(request: ZoneFileRequest, bytes: number): Promise<ZoneFileResult> {
  if (bytes > SMALL_BYTES) return await turns.take(() => loadAside(request))
  // Of many small ones in a row, each has a turn of its own.
  await setImmediate()
  return readZoneFile(request)
}

function loadAside(request: ZoneFileRequest): Promise<ZoneFileResult> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./zone-load-thread.ts', import.meta.url), { workerData: request })
    thread.once('message', (message: FromLoadThread) => {
      if (message.kind === 'error') reject(new ZoneError(message.text))
      else resolve(message)
    })
    thread.once('error', reject)
    // After a message it is too late to be of interest.
    thread.once('exit', () => reject(new ZoneError('the thread that reads the zone ended without a word')))
  })
}
