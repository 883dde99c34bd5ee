/** The socket on which the control plane listens: one process has it, so an address that is taken is told before anything is started. */
import { type ListenSocket, openListenSocket } from '../base/listen-socket.ts'
import { addressError, probeAddress, splitAddress } from './ports.ts'

export async function openControlSocket(address: string): Promise<ListenSocket> {
  await probeAddress(address)
  try {
    return await openListenSocket({ ...splitAddress(address), reusePort: false, backlog: 511 })
  } catch (error) {
    throw addressError(error as NodeJS.ErrnoException, address)
  }
}
