/** The main file of a thread that reads one zone and hands it over. */
import { parentPort, workerData } from 'node:worker_threads'
import { buffersOf } from './zone-data.ts'
import { readZoneFile, type ZoneFileRequest } from './zone-file.ts'
import type { FromLoadThread } from './zone-loader.ts'

const tell = (message: FromLoadThread, buffers: ArrayBuffer[] = []): void =>
  parentPort!.postMessage(message, buffers)
try {
  const result = readZoneFile(workerData as ZoneFileRequest)
  tell(result, result.kind === 'zone' ? buffersOf(result.data) : [])
} catch (error) {
  tell({ kind: 'error', text: error instanceof Error ? error.message : String(error) })
}
