/*
 * nf_tables: what the host does to the packets of all boxes, by one table. Its rules are always the
 * same, so a packet costs the same with one box as with five hundred. See nft(8).
 *
 *   table ip ten-steps {
 *       comment "0123456789abcdef"                      the token of the claim on it
 *       set bridges  { type ifname }                    the boxes' bridges
 *       set same     { type ifname . ifname }           and each of them twice
 *       set uplinks  { type ifname }                    links that forward because of us
 *       map ports    { address . protocol . port : address . port }
 *       chain martians    { filter, prerouting -300 }   127.0.0.1 stays this host's own
 *       chain prerouting  { nat, prerouting -100 }      published ports, for other hosts
 *       chain output      { nat, output -100 }          published ports, for this host
 *       chain forward     { filter, forward 0 }         boxes are reached by those ports alone
 *       chain postrouting { nat, postrouting 100 }      masquerade
 *   }
 *
 * All functions run on the host. Those that return an int return 0 or, after report(), -errno.
 */
#ifndef NAT_H
#define NAT_H

/* Make the table, with TOKEN in its comment. */
int nat_add_table(const char *token);

/* Add an element, with TOKEN in its comment; -EEXIST without report(). KEY and DATA (NULL for a
 * set) are written as for nft(8): "0.0.0.0 . tcp . 8080", "172.27.0.2 . 80". */
int nat_add(const char *set, const char *key, const char *data, const char *token);

/* Does the element KEY of SET (NULL: the table) exist and bear TOKEN? 1 if so. / Then remove it. */
int nat_has(const char *set, const char *key, const char *token);
int nat_remove(const char *set, const char *key, const char *token);

/* nat_add() and nat_remove() call it. Forget the UDP flows to the port KEY, but those to DATA: a
 * flow's first packet decides where all others go. So a client that keeps its own port would never
 * reach a new box at KEY, and after that one's end it would reach the next box at its address. */
int nat_forget(const char *key, const char *data);

#endif
