/**
 * The demo's origin: a page, an image, an answer that never repeats, and a live playlist that moves on with the clock.
 *
 * The playlist is HLS as a packager would write it (RFC 8216): a window of segments, the oldest named by its number. What
 * the segments hold is made here, packets of MPEG-TS with nothing to see in them: it is the edge that is on show.
 */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const SEGMENT_SECONDS = 2
const WINDOW = 5
const TS_PACKET_BYTES = 188
const SEGMENT_PACKETS = 500

const PAGE = readFileSync(new URL('page.html', import.meta.url))

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40" role="img" aria-label="Orla">
<path d="M4 26c12-16 24-16 36 0s24 16 36 0 24-16 36 0" fill="none" stroke="#0b7285" stroke-width="6"/></svg>\n`

export interface DemoOrigin {
  readonly url: string
  close(): Promise<void>
}

export async function startDemoOrigin(now: () => number = Date.now): Promise<DemoOrigin> {
  const server = createServer((request, response) => answer(request, response, now()))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, close: () => closed(server) }
}

function answer(request: IncomingMessage, response: ServerResponse, nowMs: number): void {
  const { pathname } = new URL(request.url ?? '/', 'http://origin')
  const send = (type: string, cacheControl: string, body: string | Uint8Array) => {
    response.writeHead(200, { 'content-type': type, 'cache-control': cacheControl })
    response.end(body)
  }
  const segment = /^\/hls\/colorbar-(\d{1,15})\.ts$/.exec(pathname)?.[1]
  if (pathname === '/') send('text/html; charset=utf-8', 'no-cache', PAGE)
  else if (pathname === '/logo.svg') send('image/svg+xml', 'public, max-age=3600', LOGO)
  else if (pathname === '/api/time') send('application/json', 'no-store', timeJson(nowMs))
  else if (pathname === '/hls/colorbar.m3u8') {
    // Half a segment: a player that asks again gets the next one soon, and a thousand players are one request here.
    send('application/vnd.apple.mpegurl', `public, max-age=${SEGMENT_SECONDS / 2}`, playlist(nowMs))
  } else if (segment !== undefined) send('video/mp2t', 'public, max-age=60', transportStream(Number(segment)))
  else response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing here\n')
}

const timeJson = (nowMs: number): string => `${JSON.stringify({ time: new Date(nowMs).toISOString() })}\n`

/** The last segments that are whole at this moment. */
export function playlist(nowMs: number): string {
  const next = Math.floor(nowMs / 1000 / SEGMENT_SECONDS)
  const first = next - WINDOW
  const segments = Array.from({ length: WINDOW }, (_, index) => first + index)
  return [
    '#EXTM3U',
    '#EXT-X-VERSION:3',
    `#EXT-X-TARGETDURATION:${SEGMENT_SECONDS}`,
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    ...segments.flatMap((number) => [`#EXTINF:${SEGMENT_SECONDS.toFixed(3)},`, `colorbar-${number}.ts`]),
    '',
  ].join('\n')
}

/** Null packets (ISO/IEC 13818-1 §2.4.3.3: PID 0x1FFF), filled with the segment's number. */
function transportStream(segment: number): Uint8Array {
  const packet = Buffer.alloc(TS_PACKET_BYTES, `colorbar ${segment} `)
  packet.set([0x47, 0x1f, 0xff, 0x10])
  return Buffer.concat(Array.from({ length: SEGMENT_PACKETS }, () => packet))
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
