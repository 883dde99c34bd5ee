/** What is to happen once the last byte of an answer has left, as far as its connection knows. */
import type { ClientConnection } from './client-connection.ts'

export function whenSent(connection: ClientConnection, ends: readonly (() => void)[]): void {
  const end = () => ends.forEach((then) => then())
  if (connection.whenSent === undefined) end()
  else connection.whenSent(end)
}
