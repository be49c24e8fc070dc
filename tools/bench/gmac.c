/* Reads a file and makes the GMAC of each MiB: what `npm run bench -- sync-core` compares with. gcc -O2 gmac.c -lcrypto */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEGMENT = 1 << 20, PIECE = 1 << 18 };

int main(int argc, char **argv) {
  unsigned char key[16] = {1}, iv[12] = {0}, tag[16], end[16];
  unsigned char *buffer = aligned_alloc(4096, PIECE);
  int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  unsigned sum = 0;
  int length;
  if (fd < 0 || !buffer || !EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), 0, key, iv)) return 1;
  for (ssize_t got = 1; got > 0;) {
    EVP_EncryptInit_ex(context, 0, 0, 0, iv);
    for (int done = 0; done < SEGMENT; done += PIECE) {
      got = read(fd, buffer, PIECE);
      if (got < 0) return 1;
      if (got == 0) break;
      EVP_EncryptUpdate(context, 0, &length, buffer, got);
    }
    EVP_EncryptFinal_ex(context, end, &length);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, sizeof tag, tag);
    sum += tag[0];
  }
  printf("%u\n", sum);
  return 0;
}
