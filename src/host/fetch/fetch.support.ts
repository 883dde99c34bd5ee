/** `fetch` as a worker does it, against real servers on this machine: `127.0.0.1` is named as allowed, so that whatever else is here is not. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { newCallAccount, type HostAnswer, type HostCall } from '../../contract/host-calls.ts'
import { FetchCalls } from './fetch-calls.ts'
import type { FetchConfig } from './destinations.ts'

export async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => (server.closeAllConnections(), server.close()))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const TIMEOUTS = { connect: 2000, response: 10_000, idle: 10_000 }

export function stand(t: TestContext, config: Partial<FetchConfig> = {}, requestHead = '') {
  const calls = new FetchCalls(
    {
      allowPrivate: false,
      sites: ['127.0.0.1'],
      requestsMax: 50,
      bytesMax: 1_000_000,
      timeouts: TIMEOUTS,
      ca: undefined,
      ...config,
    } as FetchConfig,
    systemClock,
  )
  t.after(() => calls.close())
  const account = newCallAccount(requestHead)
  const get = (url: string, more: Record<string, unknown> = {}, body = ''): Promise<HostAnswer> =>
    new Promise((resolve) => {
      const head = { url, method: 'GET', headers: '', redirect: 'follow', hasBody: body !== '', ...more }
      const unit = { name: 'u' } as HostCall['unit']
      calls.start({ unit, kind: 'fetch', head: JSON.stringify(head), body, isBytes: false, account }, resolve)
    })
  return { calls, account, get }
}

export const error = (answer: HostAnswer) =>
  JSON.parse(answer.head) as { name: string; code: string; message: string }
