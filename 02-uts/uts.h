/* Host name and domain name: all that a UTS namespace holds. See uts_namespaces(7). */
#ifndef UTS_H
#define UTS_H

/* Box. Set the host name, at most 64 bytes. sethostname(2). An error ends the tool. */
void uts_set_hostname(const char *name);

/* Box. Set the NIS domain name, at most 64 bytes. setdomainname(2). An error ends the tool. */
void uts_set_domainname(const char *name);

#endif
