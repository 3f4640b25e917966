// Names of connections: unique for this process and, by its start, over restarts.

/** `kind` tells apart the paths of one process. */
export function createNames(kind = ''): () => string {
  const start = Date.now().toString(36);
  let count = 0;
  return () => {
    count += 1;
    return `${start}-${kind}${count.toString(36)}`;
  };
}
