/**
 * What a head costs: `node src/wire/http1/request-parser.bench.ts`.
 *
 * The floor to stand beside is `toString('latin1')` of the same bytes, which every parser that makes strings pays.
 */
import { HeadMemo, parseRequestHead } from './request-parser.ts'
import { parseResponseHead } from './response-parser.ts'

const LIMITS = { headBytes: 32_768, targetBytes: 8192, headerCount: 100 }
const ROUNDS = 100_000

const request = Buffer.from(
  'GET /hls/colorbar.m3u8?token=token HTTP/1.1\r\nHost: tv.example.org\r\n' +
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\n' +
    'Accept-Encoding: gzip, deflate\r\nCookie: superstition=token\r\n\r\n',
)
const response = Buffer.from(
  'HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n' +
    'Cache-Control: max-age=60\r\nETag: "abc"\r\n\r\n',
)
const memo = new HeadMemo()

const subjects: Readonly<Record<string, () => unknown>> = {
  'floor: toString': () => request.toString('latin1', 0, request.length),
  'request, first of a connection': () => parseRequestHead(request, 0, request.length, LIMITS),
  'request, fields as before': () => parseRequestHead(request, 0, request.length, LIMITS, memo),
  response: () => parseResponseHead(response, 0, response.length, LIMITS, 'GET'),
}

console.log(`request ${request.length} bytes, response ${response.length} bytes; best of 5 runs of ${ROUNDS}`)
for (const [name, run] of Object.entries(subjects)) {
  let best = Number.POSITIVE_INFINITY
  for (let repeat = 0; repeat < 5; repeat++) {
    const before = process.cpuUsage()
    for (let i = 0; i < ROUNDS; i++) run()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1000) / ROUNDS)
  }
  console.log(`${name.padEnd(32)} ${best.toFixed(0).padStart(6)} ns`)
}
