/** Asks the endpoint of `health` as others do: how long that takes says whether the process keeps up. */
import { get } from 'node:http'

const CHECK_MS_MAX = 5000

/** Rejects where the answer is not 200, or does not come. */
export async function askHealth(host: string | undefined, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = { host: host ?? 'localhost', port, path: '/health', agent: false, timeout: CHECK_MS_MAX }
    const request = get(options, (response) => {
      response.resume()
      if (response.statusCode === 200) response.once('end', resolve).once('error', reject)
      else reject(new Error(`status ${response.statusCode}`))
    })
    request.once('timeout', () => request.destroy(new Error(`no answer within ${CHECK_MS_MAX} ms`)))
    request.once('error', reject)
  })
}
