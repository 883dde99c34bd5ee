/** `host:port` of a server; a host with colons stands without brackets. */

export const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'))
export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))
