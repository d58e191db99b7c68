/* Host name and domain name: all that a UTS namespace holds. See uts_namespaces(7). */
#ifndef UTS_H
#define UTS_H

/* Box. Set the host name, 1 to 64 bytes. sethostname(2). An error ends the tool. */
void uts_set_hostname(const char *name);

/* Box. Set the NIS domain name, 1 to 64 bytes. setdomainname(2). An error ends the tool. */
void uts_set_domainname(const char *name);

/* Host. End the tool unless NAME has 1 to 64 bytes. WHAT is what the error calls it. */
void uts_check_name(const char *name, const char *what);

#endif
