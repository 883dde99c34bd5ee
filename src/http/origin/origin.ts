/** The origin of a site: spreads calls over its endpoints in turn, and moves on where one cannot be reached. */
import type { Clock } from '../../base/clock.ts'
import type { OriginConfig } from '../../config/schema.ts'
import type { Origin, OriginCall, OriginHandler, OriginRequest } from '../../contract/origin.ts'
import { endpointAddresses } from './address.ts'
import { Call, type Attempts } from './call.ts'
import { Endpoint } from './endpoint.ts'

export interface OriginDeps {
  readonly clock: Clock
}

export function createOrigin(config: OriginConfig, deps: OriginDeps): Origin {
  const { timeouts, connectionsMax } = config
  return new BalancedOrigin(
    endpointAddresses(config).map(
      (address) => new Endpoint({ address, timeouts, connectionsMax, clock: deps.clock }),
    ),
    deps.clock,
  )
}

class BalancedOrigin implements Origin, Attempts {
  private readonly pool: readonly Endpoint[]
  private readonly clock: Clock
  private turn = 0
  readonly endpoints: readonly string[]

  constructor(endpoints: readonly Endpoint[], clock: Clock) {
    this.pool = endpoints
    this.endpoints = endpoints.map(({ address }) => address.name)
    this.clock = clock
  }

  send(request: OriginRequest, handler: OriginHandler): OriginCall {
    const call = new Call(request, handler, this, this.clock)
    if (request.endpoint === undefined) {
      this.turn = (this.turn + 1) % this.pool.length
      call.endpointIndex = this.turn
    } else {
      call.endpointIndex = this.endpoints.indexOf(request.endpoint)
    }
    this.pool[call.endpointIndex]!.take(call, false)
    return call
  }

  retry(call: Call): void {
    this.pool[call.endpointIndex]!.take(call, true)
  }

  failOver(call: Call): boolean {
    if (call.request.endpoint !== undefined || call.attempts >= this.pool.length) return false
    call.attempts++
    call.endpointIndex = (call.endpointIndex + 1) % this.pool.length
    this.pool[call.endpointIndex]!.take(call, false)
    return true
  }

  close(): void {
    for (const endpoint of this.pool) endpoint.close()
  }
}
