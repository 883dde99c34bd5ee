/** `prometheus`: figures of the server and its plugins, to be fetched. */
import type { DnsPlugin } from '../../../contract/dns.ts'
import {
  type HttpAddress,
  httpAddressOf,
  openHttpEndpoint,
  type OpenHttpEndpoint,
} from '../http-endpoints.ts'
import { atMost, onlyLine } from '../line-words.ts'
import { processFigures } from './process-figures.ts'

const USUAL: HttpAddress = { host: 'localhost', port: 9153 }

export default {
  name: 'prometheus',
  setup(controller) {
    const line = onlyLine(controller)
    atMost(controller, line, 1)
    for (const property of line.block ?? [])
      controller.fail(
        property,
        `'${property.name.text}' is not there in Orla: prometheus takes an address alone`,
      )
    const [word] = line.args
    const address = word ? httpAddressOf(controller, word) : USUAL
    const { metrics, settings } = controller
    settings.isCounted = true
    let endpoint: OpenHttpEndpoint | undefined
    const { isFirst } = controller.host
    controller.onStart(async () => {
      if (isFirst === false) return
      endpoint = await openHttpEndpoint(
        address,
        '/metrics',
        () => ({
          status: 200,
          type: 'text/plain; version=0.0.4; charset=utf-8',
          text: metrics.text() + processFigures(),
        }),
        isFirst,
      )
      controller.log.debug(`figures at port ${endpoint.port}`)
    })
    controller.onShutdown(() => endpoint?.close())
  },
} satisfies DnsPlugin
