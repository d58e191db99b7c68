/* Host name and domain name: all that a UTS namespace holds. See uts_namespaces(7). */
#ifndef UTS_H
#define UTS_H

/* Box. Set the host name and the NIS domain name, each of at most 64 bytes, unless it is NULL. An
 * error ends the tool. */
void uts_set_names(const char *hostname, const char *domainname);

#endif
